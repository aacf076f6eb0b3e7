import {
  checkObjectKey,
  checkObjectPrefix,
  type ObjectTransfers,
  type UploadFile,
  UploadIncompleteError,
  type UploadPart,
} from '../object-store.ts';
import { contentTypeOf } from './content-type.ts';
import type { Multipart, StoredPart } from './multipart.ts';
import type { S3Client } from './s3-client.ts';
import { hasCode } from './s3-failure.ts';

/** How long a part may wait for its turn. Whoever is slower asks again and gets fresh URLs for what is missing. */
export const UPLOAD_SECONDS = 6 * 3600;

/** Uploads and downloads past the control plane; see `ObjectTransfers`. `prefix` is the store's own. */
export function s3Transfers(
  client: S3Client,
  multipart: Multipart,
  prefix: string,
  hasPublicUrl: boolean,
): ObjectTransfers {
  const named = (key: string): string => {
    checkObjectKey(key);
    return prefix + key;
  };

  const sendWhole = (key: string, file: UploadFile): UploadPart => {
    const signed = checksumHeaders(file.sha256);
    const url = client.presign({ method: 'PUT', key, headers: signed, seconds: UPLOAD_SECONDS });
    return { start: 0, end: file.size, url, headers: { ...signed, 'content-type': contentTypeOf(key) } };
  };

  const sendPart = (key: string, uploadId: string, { number, start, end, sha256 }: Piece): UploadPart => {
    const headers = checksumHeaders(sha256);
    const query = { partNumber: String(number), uploadId };
    return {
      start,
      end,
      url: client.presign({ method: 'PUT', key, query, headers, seconds: UPLOAD_SECONDS }),
      headers,
    };
  };

  const isStored = (key: string, { size, parts }: UploadFile) =>
    multipart.isJoined(key, { size, sha256: parts?.sha256 ?? [] });

  const transfers = {
    async plan(key: string, file: UploadFile, uploadId: string | null) {
      const name = named(key);
      if (file.parts === undefined) return { uploadId: null, parts: [sendWhole(name, file)] };
      const stored = uploadId === null ? null : await multipart.parts(name, uploadId);
      // An upload that is gone may have been joined, and the answer lost.
      if (uploadId !== null && stored === null && (await isStored(name, file))) return { uploadId, parts: [] };
      const id = uploadId !== null && stored !== null ? uploadId : await multipart.begin(name);
      const missing = piecesOf(file).filter((piece) => !isSent(piece, stored ?? []));
      return { uploadId: id, parts: missing.map((piece) => sendPart(name, id, piece)) };
    },

    async complete(key: string, file: UploadFile, uploadId: string) {
      const name = named(key);
      const stored = await multipart.parts(name, uploadId);
      if (stored === null) {
        if (await isStored(name, file)) return;
        throw new UploadIncompleteError(key, 'its multipart upload is gone');
      }
      const pieces = piecesOf(file);
      const missing = pieces.filter((piece) => !isSent(piece, stored)).map(({ number }) => number);
      if (missing.length > 0)
        throw new UploadIncompleteError(key, `${missing.length} of ${pieces.length} parts are missing`);
      try {
        await multipart.join(name, uploadId, joined(pieces, stored));
      } catch (error) {
        // Joined by a try whose answer was lost, or by somebody who asked at the same moment.
        if (hasCode(error, 'NoSuchUpload') && (await isStored(name, file))) return;
        if (!hasCode(error, 'NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall', 'BadDigest'))
          throw error;
        throw new UploadIncompleteError(key, `the store refuses to join its parts (${(error as Error).message})`);
      }
    },

    async *unfinished(below: string) {
      checkObjectPrefix(below);
      for await (const { key, uploadId, since } of multipart.uploads(prefix + below)) {
        if (key.startsWith(prefix + below)) yield { key: key.slice(prefix.length), uploadId, since };
      }
    },

    async abort(key: string, uploadId: string) {
      await multipart.abort(named(key), uploadId);
    },

    async link(key: string, options: LinkOptions) {
      const name = named(key);
      if (options.audience === 'trainer') return client.presign({ method: 'GET', key: name, seconds: options.seconds });
      if (!hasPublicUrl) return null;
      const query = {
        'response-content-disposition': `attachment; filename="${options.filename.replace(/[^\w.-]/g, '_')}"`,
      };
      return client.presign({ method: 'GET', key: name, query, seconds: options.seconds }, 'public');
    },
  };
  return explaining(transfers as ObjectTransfers, client);
}

type LinkOptions = { seconds: number; audience: 'trainer' } | { seconds: number; audience: 'public'; filename: string };

interface Piece {
  number: number;
  start: number;
  end: number;
  sha256: string;
}

/** The parts of a file; numbers begin with 1. */
function piecesOf({ size, parts }: UploadFile): Piece[] {
  if (parts === undefined) throw new Error('only a file that is cut into parts has a multipart upload');
  return parts.sha256.map((sha256, index) => ({
    number: index + 1,
    start: index * parts.size,
    end: Math.min(size, (index + 1) * parts.size),
    sha256,
  }));
}

function isSent({ number, start, end, sha256 }: Piece, stored: readonly StoredPart[]): boolean {
  const part = stored.find((one) => one.number === number);
  if (part === undefined || part.size !== end - start) return false;
  return part.sha256 === null || part.sha256 === base64(sha256);
}

/** MinIO and versitygw refuse to join without the checksum of every part, also where they do not list it. */
function joined(pieces: readonly Piece[], stored: readonly StoredPart[]): StoredPart[] {
  const sums = new Map(pieces.map(({ number, sha256 }) => [number, base64(sha256)]));
  return stored
    .filter(({ number }) => sums.has(number))
    .map((part) => ({ ...part, sha256: sums.get(part.number) ?? null }))
    .sort((a, b) => a.number - b.number);
}

function checksumHeaders(sha256: string | undefined): Record<string, string> {
  return sha256 === undefined ? {} : { 'x-amz-checksum-sha256': base64(sha256) };
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

/** What a failure means and what to do about it, for whoever sees the log. */
function explaining(transfers: ObjectTransfers, client: S3Client): ObjectTransfers {
  const explain = (error: unknown): never => {
    throw client.explain(error);
  };
  return {
    ...transfers,
    plan: (...args) => transfers.plan(...args).catch(explain),
    complete: (...args) => transfers.complete(...args).catch(explain),
    abort: (...args) => transfers.abort(...args).catch(explain),
    async *unfinished(prefix) {
      try {
        yield* transfers.unfinished(prefix);
      } catch (error) {
        explain(error);
      }
    },
  };
}

import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  checkObjectKey,
  checkObjectPrefix,
  ObjectNotFoundError,
  type ObjectStore,
  type ObjectTransfers,
  type UploadFile,
  UploadIncompleteError,
  type UploadPart,
} from '../object-store.ts';
import { checksumHeaders, type PresignedServer, sha256Of, startPresignedServer } from './presigned-server.ts';

/**
 * A store that is no directory, in memory, with presigned transfers over HTTP as an S3 server has them; passes `describeObjectStore` and
 * `describeObjectTransfers`.
 */
export interface MemoryStore {
  store: ObjectStore & { transfers: ObjectTransfers };
  server: PresignedServer;
  objects: PresignedServer['objects'];
  uploads: PresignedServer['uploads'];
  /** As `store.transfers` has them, at once. */
  plan(key: string, file: UploadFile, uploadId: string | null): { uploadId: string | null; parts: UploadPart[] };
  complete(key: string, file: UploadFile, uploadId: string): void;
  close(): Promise<void>;
}

const UPLOAD_SECONDS = 12 * 3600;

export async function openMemoryStore({ now = Date.now }: { now?: () => number } = {}): Promise<MemoryStore> {
  const server = await startPresignedServer(now);
  const { objects, uploads, sign } = server;

  const plan: MemoryStore['plan'] = (key, file, uploadId) => {
    checkObjectKey(key);
    const until = now() + UPLOAD_SECONDS * 1000;
    if (file.parts === undefined) {
      const url = sign({ key, method: 'PUT', until, sha256: file.sha256 });
      return { uploadId: null, parts: [{ start: 0, end: file.size, url, headers: checksumHeaders(file.sha256) }] };
    }
    const known = uploadId !== null && uploads.get(uploadId)?.key === key;
    if (uploadId !== null && !known && isStored(key, file)) return { uploadId, parts: [] };
    const id = known ? uploadId : randomUUID();
    if (!known) uploads.set(id, { key, since: now(), parts: new Map() });
    const stored = uploads.get(id)?.parts;
    const parts = piecesOf(file).flatMap(({ number, start, end, sha256 }) => {
      if (isPiece(stored?.get(number), { start, end, sha256 })) return [];
      const url = sign({ key, method: 'PUT', until, sha256, part: { uploadId: id, number } });
      return [{ start, end, url, headers: checksumHeaders(sha256) }];
    });
    return { uploadId: id, parts };
  };

  const complete: MemoryStore['complete'] = (key, file, uploadId) => {
    const upload = uploads.get(uploadId);
    if (upload === undefined) {
      if (isStored(key, file)) return;
      throw new UploadIncompleteError(key, 'its multipart upload is gone');
    }
    const parts = piecesOf(file).map((piece) => {
      const part = upload.parts.get(piece.number);
      if (part === undefined || !isPiece(part, piece))
        throw new UploadIncompleteError(key, `part ${piece.number} is missing`);
      return part;
    });
    objects.set(key, Buffer.concat(parts));
    uploads.delete(uploadId);
  };

  const isStored = (key: string, file: UploadFile): boolean => {
    const object = objects.get(key);
    return (
      object?.length === file.size &&
      piecesOf(file).every((piece) => isPiece(object.subarray(piece.start, piece.end), piece))
    );
  };

  const transfers: ObjectTransfers = {
    plan: async (...args) => plan(...args),
    complete: async (...args) => complete(...args),
    async *unfinished(prefix) {
      for (const [uploadId, { key, since }] of [...uploads]) if (key.startsWith(prefix)) yield { key, uploadId, since };
    },
    async abort(_key, uploadId) {
      uploads.delete(uploadId);
    },
    // The overloads promise a string to trainers; here it is one to people too.
    link: async (key: string, { seconds }: { seconds: number }) =>
      sign({ key, method: 'GET', until: now() + seconds * 1000 }),
  };

  const get = (key: string): Buffer => {
    checkObjectKey(key);
    const found = objects.get(key);
    if (found === undefined) throw new ObjectNotFoundError(key);
    return found;
  };
  const store: MemoryStore['store'] = {
    async put(key, body) {
      checkObjectKey(key);
      const bytes = body instanceof Uint8Array ? Buffer.from(body) : await buffer(body.stream);
      if (!(body instanceof Uint8Array) && bytes.length !== body.size) {
        throw new Error(`The stream held ${bytes.length} bytes where ${body.size} were announced; send it again.`);
      }
      objects.set(key, bytes);
    },
    async putIfAbsent(key, body) {
      checkObjectKey(key);
      if (objects.has(key)) return 'exists';
      objects.set(key, Buffer.from(body));
      return 'created';
    },
    get: async (key) => get(key),
    read(key, range) {
      checkObjectKey(key);
      return Readable.from(
        (async function* () {
          const found = get(key);
          yield range === undefined ? found : found.subarray(range.start, range.end + 1);
        })(),
        { objectMode: false },
      );
    },
    async head(key) {
      checkObjectKey(key);
      const found = objects.get(key);
      return found === undefined ? null : { size: found.length };
    },
    async *list(prefix) {
      checkObjectPrefix(prefix);
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix));
      keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const key of keys) {
        const found = objects.get(key);
        if (found !== undefined) yield { key, size: found.length };
      }
    },
    async delete(key) {
      checkObjectKey(key);
      objects.delete(key);
    },
    localDirectory: () => null,
    transfers,
  };

  return { store, server, objects, uploads, plan, complete, close: server.close };
}

interface Piece {
  start: number;
  end: number;
  sha256: string;
}

/** The parts of a file; numbers begin with 1. */
function piecesOf({ size, parts }: UploadFile): (Piece & { number: number })[] {
  return (parts?.sha256 ?? []).map((sha256, index) => {
    const partSize = parts?.size ?? size;
    return { number: index + 1, start: index * partSize, end: Math.min(size, (index + 1) * partSize), sha256 };
  });
}

function isPiece(bytes: Buffer | undefined, { start, end, sha256 }: Piece): boolean {
  return bytes?.length === end - start && sha256Of(bytes) === sha256;
}

import { createHash } from 'node:crypto';
import { contentTypeOf } from './content-type.ts';
import type { S3Client } from './s3-client.ts';
import { failureFrom, hasCode } from './s3-failure.ts';
import { elements, escapeXml, textOf } from './xml.ts';

/** A part as the store lists it. `sha256` (base64) only where the store keeps it. */
export interface StoredPart {
  number: number;
  size: number;
  etag: string;
  sha256: string | null;
}

/** The requests of a multipart upload whose parts carry sha256 checksums. Keys are keys in the bucket. */
export interface Multipart {
  /** Of uploads of this key that were begun by a try whose answer was lost, none is left. */
  begin(key: string): Promise<string>;
  /** All parts the store has, or null where there is no such upload. */
  parts(key: string, uploadId: string): Promise<StoredPart[] | null>;
  send(key: string, uploadId: string, number: number, bytes: Buffer): Promise<StoredPart>;
  /** Joins these parts. A repeated join after a lost answer fails with `NoSuchUpload` on some stores and goes well on others. */
  join(key: string, uploadId: string, parts: readonly StoredPart[]): Promise<void>;
  /** Whether the object holds these parts (sha256 hexadecimal): by checksum where the store keeps one, else by size. */
  isJoined(key: string, file: { size: number; sha256: readonly string[] }): Promise<boolean>;
  abort(key: string, uploadId: string): Promise<void>;
  /** What the store lists by this prefix; MinIO lists only what has it as its whole key. */
  uploads(prefix: string): AsyncGenerator<{ key: string; uploadId: string; since: number }>;
}

export function multipartOf(client: S3Client): Multipart {
  const text = async (request: Parameters<S3Client['send']>[0]) => (await client.send(request)).body.toString();
  const multipart: Multipart = {
    async begin(key) {
      const headers = { 'content-type': contentTypeOf(key), 'x-amz-checksum-algorithm': 'SHA256' };
      const { body, earlierFailures } = await client.send({ method: 'POST', key, query: { uploads: '' }, headers });
      const uploadId = textOf(String(body), 'UploadId');
      if (uploadId === null) throw failureFrom(200, String(body));
      if (earlierFailures > 0) {
        for await (const other of multipart.uploads(key)) {
          if (other.key === key && other.uploadId !== uploadId) await multipart.abort(key, other.uploadId);
        }
      }
      return uploadId;
    },

    async parts(key, uploadId) {
      const found: StoredPart[] = [];
      try {
        for (let marker: string | null = '0'; marker !== null; ) {
          const page = await text({ method: 'GET', key, query: { uploadId, 'part-number-marker': marker } });
          found.push(...elements(page, 'Part').map(storedPart));
          marker = textOf(page, 'IsTruncated') === 'true' ? textOf(page, 'NextPartNumberMarker') : null;
        }
      } catch (error) {
        if (hasCode(error, 'NoSuchUpload')) return null;
        throw error;
      }
      return found;
    },

    async send(key, uploadId, number, bytes) {
      const sha256 = createHash('sha256').update(bytes).digest('base64');
      const { headers } = await client.send({
        method: 'PUT',
        key,
        query: { partNumber: String(number), uploadId },
        headers: { 'x-amz-checksum-sha256': sha256 },
        body: bytes,
      });
      return { number, size: bytes.length, etag: headers.etag ?? '', sha256 };
    },

    async join(key, uploadId, parts) {
      const list = parts.map(
        ({ number, etag, sha256 }) =>
          `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag)}</ETag>` +
          `${sha256 === null ? '' : `<ChecksumSHA256>${escapeXml(sha256)}</ChecksumSHA256>`}</Part>`,
      );
      const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list.join('')}</CompleteMultipartUpload>`;
      const answer = await text({ method: 'POST', key, query: { uploadId }, body: Buffer.from(body) });
      // The status is sent before the parts are joined: an error may follow a 200.
      if (textOf(answer, 'CompleteMultipartUploadResult') === null) throw failureFrom(200, answer);
    },

    async isJoined(key, { size, sha256 }) {
      try {
        const { headers } = await client.send({ method: 'HEAD', key, headers: { 'x-amz-checksum-mode': 'ENABLED' } });
        const checksum = headers['x-amz-checksum-sha256'];
        if (Number(headers['content-length']) !== size) return false;
        return checksum === undefined || checksum === compositeChecksum(sha256);
      } catch (error) {
        if (hasCode(error, 'NotFound', 'NoSuchKey')) return false;
        throw error;
      }
    },

    async abort(key, uploadId) {
      try {
        await client.send({ method: 'DELETE', key, query: { uploadId } });
      } catch (error) {
        if (!hasCode(error, 'NoSuchUpload')) throw error;
      }
    },

    async *uploads(prefix) {
      let marker: Record<string, string> | null = {};
      while (marker !== null) {
        const page: string = await text({ method: 'GET', query: { uploads: '', prefix, ...marker } });
        for (const upload of elements(page, 'Upload')) {
          const [key, uploadId] = [textOf(upload, 'Key'), textOf(upload, 'UploadId')];
          if (key === null || uploadId === null) continue;
          yield { key, uploadId, since: Date.parse(textOf(upload, 'Initiated') ?? '') || 0 };
        }
        marker =
          textOf(page, 'IsTruncated') === 'true'
            ? {
                'key-marker': textOf(page, 'NextKeyMarker') ?? '',
                'upload-id-marker': textOf(page, 'NextUploadIdMarker') ?? '',
              }
            : null;
      }
    },
  };
  return multipart;
}

/** The checksum that a store keeps for an object of parts: the sha256 of their sha256s, and how many (base64, hyphen, count). */
export function compositeChecksum(sha256: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of sha256) hash.update(Buffer.from(part, 'hex'));
  return `${hash.digest('base64')}-${sha256.length}`;
}

function storedPart(xml: string): StoredPart {
  return {
    number: Number(textOf(xml, 'PartNumber')),
    size: Number(textOf(xml, 'Size')),
    etag: textOf(xml, 'ETag') ?? '',
    sha256: textOf(xml, 'ChecksumSHA256'),
  };
}

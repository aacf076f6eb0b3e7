import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  checkObjectKey,
  checkObjectPrefix,
  ObjectNotFoundError,
  type ObjectStore,
  type ObjectTransfers,
  UploadIncompleteError,
} from '../object-store.ts';

/** A store that is no directory, in memory, with presigned transfers over HTTP as an S3 server has them; passes `describeObjectStore`. */
export interface MemoryStore {
  store: ObjectStore & { transfers: ObjectTransfers };
  objects: Map<string, Buffer>;
  /** Multipart uploads that are not complete, by id. */
  uploads: Map<string, { key: string; since: number; parts: Map<number, Buffer> }>;
  close(): Promise<void>;
}

interface Grant {
  key: string;
  method: 'PUT' | 'GET';
  until: number;
  sha256?: string | undefined;
  uploadId?: string;
  part?: number;
}

const UPLOAD_SECONDS = 12 * 3600;

export async function openMemoryStore({ now = Date.now }: { now?: () => number } = {}): Promise<MemoryStore> {
  const objects: MemoryStore['objects'] = new Map();
  const uploads: MemoryStore['uploads'] = new Map();
  const grants = new Map<string, Grant>();
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const grant = grants.get(url.searchParams.get('X-Amz-Signature') ?? '');
    const refuse = (status: number, code: string) => {
      request.resume();
      response.writeHead(status, { 'content-type': 'application/xml' }).end(`<Error><Code>${code}</Code></Error>`);
    };
    if (grant === undefined || grant.method !== request.method || url.pathname !== `/${grant.key}`) {
      return refuse(403, 'SignatureDoesNotMatch');
    }
    if (grant.until < now()) return refuse(403, 'AccessDenied');
    if (grant.method === 'PUT') {
      if (request.headers['x-amz-checksum-sha256'] !== checksum(grant.sha256)) return refuse(403, 'AccessDenied');
      const body = await buffer(request);
      const found = createHash('sha256').update(body).digest('hex');
      if (grant.sha256 !== undefined && found !== grant.sha256) return refuse(400, 'XAmzContentChecksumMismatch');
      if (grant.uploadId === undefined) objects.set(grant.key, body);
      else {
        const upload = uploads.get(grant.uploadId);
        if (upload === undefined) return refuse(404, 'NoSuchUpload');
        upload.parts.set(grant.part as number, body);
      }
      response.writeHead(200).end();
      return;
    }
    const body = objects.get(grant.key);
    if (body === undefined) return refuse(404, 'NoSuchKey');
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    if (range === null) {
      response.writeHead(200, { 'content-length': body.length }).end(body);
      return;
    }
    const start = Number(range[1]);
    const end = range[2] === '' ? body.length - 1 : Math.min(Number(range[2]), body.length - 1);
    if (start >= body.length) return refuse(416, 'InvalidRange');
    response.writeHead(206, { 'content-range': `bytes ${start}-${end}/${body.length}` });
    response.end(body.subarray(start, end + 1));
  };

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sign = (grant: Grant): string => {
    const token = randomUUID();
    grants.set(token, grant);
    return `${origin}/${grant.key}?X-Amz-Signature=${token}`;
  };

  const transfers: ObjectTransfers = {
    async plan(key, file, uploadId) {
      checkObjectKey(key);
      const until = now() + UPLOAD_SECONDS * 1000;
      if (file.parts === undefined) {
        const url = sign({ key, method: 'PUT', until, sha256: file.sha256 });
        return { uploadId: null, parts: [{ start: 0, end: file.size, url, headers: headersFor(file.sha256) }] };
      }
      const id = uploadId !== null && uploads.get(uploadId)?.key === key ? uploadId : randomUUID();
      if (id !== uploadId) uploads.set(id, { key, since: now(), parts: new Map() });
      const stored = uploads.get(id)?.parts;
      const parts = file.parts.sha256.flatMap((sha256, index) => {
        const { start, end } = bounds(file.size, file.parts?.size ?? file.size, index);
        if (stored?.get(index + 1)?.length === end - start) return [];
        const url = sign({ key, method: 'PUT', until, sha256, uploadId: id, part: index + 1 });
        return [{ start, end, url, headers: headersFor(sha256) }];
      });
      return { uploadId: id, parts };
    },

    async complete(key, file, uploadId) {
      const upload = uploads.get(uploadId);
      if (upload === undefined) {
        if (objects.get(key)?.length === file.size) return;
        throw new UploadIncompleteError(key, 'its multipart upload is gone');
      }
      const parts = (file.parts?.sha256 ?? []).map((_, index) => {
        const { start, end } = bounds(file.size, file.parts?.size ?? file.size, index);
        const part = upload.parts.get(index + 1);
        if (part?.length !== end - start) throw new UploadIncompleteError(key, `part ${index + 1} is missing`);
        return part;
      });
      objects.set(key, Buffer.concat(parts));
      uploads.delete(uploadId);
    },

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

  return {
    store,
    objects,
    uploads,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function bounds(size: number, partSize: number, index: number): { start: number; end: number } {
  return { start: index * partSize, end: Math.min(size, (index + 1) * partSize) };
}

function checksum(sha256: string | undefined): string | undefined {
  return sha256 === undefined ? undefined : Buffer.from(sha256, 'hex').toString('base64');
}

function headersFor(sha256: string | undefined): Record<string, string> {
  const value = checksum(sha256);
  return value === undefined ? {} : { 'x-amz-checksum-sha256': value };
}

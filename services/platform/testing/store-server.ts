import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CheckpointFile } from '../../contracts/checkpoint.ts';
import type { UploadPart } from '../object-store.ts';

/** What goes wrong with a request: an S3 error, a connection that breaks after so many bytes, no answer at all, a changed byte, no ranges. */
export type StoreFault =
  | { readonly status: number; readonly code?: string }
  | { readonly breakAfter: number }
  | 'silence'
  | 'damage'
  | 'ignore-range';

export interface StoreRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
}

/** An object store as presigned URLs show it: PUT with a checksum, GET with ranges. For tests; it goes wrong on demand. */
export interface StoreServer {
  readonly url: string;
  /** Whole objects, by key. */
  readonly objects: Map<string, Buffer>;
  /** All that was asked, in order. */
  readonly requests: StoreRequest[];
  /** Most requests there were at one time. */
  readonly busiest: number;
  /** Called with each request; what it gives happens to it. */
  interfere: (request: StoreRequest) => StoreFault | undefined | Promise<StoreFault | undefined>;
  /** What is still to be sent of a file; with other content than before it begins anew. */
  plan(key: string, file: Pick<CheckpointFile, 'size' | 'sha256' | 'parts'>): UploadPart[];
  /** Makes an object of the parts that were sent; undefined when some are missing. */
  complete(key: string): Buffer | undefined;
  /** Loses a part that was sent, counted from 1. */
  forget(key: string, part: number): void;
  link(key: string): string;
  close(): Promise<void>;
}

export async function startStoreServer(): Promise<StoreServer> {
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, { sha256: string; parts: { name: string; sha256: string }[] }>();
  const sent = new Map<string, Buffer>();
  const requests: StoreRequest[] = [];
  let [busy, busiest] = [0, 0];

  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://test');
    const asked = { method: request.method ?? '', path: pathname.slice(1), range: request.headers.range };
    requests.push(asked);
    busiest = Math.max(busiest, ++busy);
    response.once('close', () => {
      busy -= 1;
    });
    const fault = await store.interfere(asked);
    if (fault === 'silence') return;
    if (typeof fault === 'object' && 'status' in fault) fail(response, fault.status, fault.code);
    else if (asked.method === 'GET') give(response, asked, fault);
    else take(request, response, asked.path, fault);
  });

  function take(request: http.IncomingMessage, response: http.ServerResponse, path: string, fault?: StoreFault): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (typeof fault === 'object' && 'breakAfter' in fault && bytes >= fault.breakAfter) request.socket.destroy();
    });
    request.on('error', () => undefined);
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      if (fault === 'damage') body[0]! ^= 1;
      const told = request.headers['x-amz-checksum-sha256'];
      if (told !== undefined && told !== createHash('sha256').update(body).digest('base64')) {
        return fail(response, 400, 'XAmzContentChecksumMismatch');
      }
      (path.startsWith('.parts/') ? sent : objects).set(path, body);
      response.end();
    });
  }

  function give(response: http.ServerResponse, { path, range }: StoreRequest, fault?: StoreFault): void {
    const object = objects.get(path);
    const [start, end] = fault === 'ignore-range' ? [0, object?.length ?? 0] : slice(range, object?.length ?? 0);
    if (object === undefined) fail(response, 404, 'NoSuchKey');
    else if (range !== undefined && start > 0 && start >= object.length) {
      response.setHeader('content-range', `bytes */${object.length}`);
      fail(response, 416, 'InvalidRange');
    } else {
      const body = Buffer.from(object.subarray(start, end));
      if (fault === 'damage') body[0]! ^= 1;
      const partial = range !== undefined && fault !== 'ignore-range';
      if (partial) response.setHeader('content-range', `bytes ${start}-${end - 1}/${object.length}`);
      response.writeHead(partial ? 206 : 200, { 'content-length': body.length });
      if (typeof fault !== 'object' || !('breakAfter' in fault)) response.end(body);
      else response.write(body.subarray(0, fault.breakAfter), () => response.destroy());
    }
  }

  const store: StoreServer = {
    url: '',
    objects,
    requests,
    get busiest() {
      return busiest;
    },
    interfere: () => undefined,
    plan(key, file) {
      if (uploads.get(key)?.sha256 !== file.sha256) uploads.set(key, newUpload(key, file));
      const { parts } = uploads.get(key)!;
      return parts.flatMap(({ name, sha256 }, i) => {
        if (sent.has(name) || objects.has(key)) return [];
        const start = i * (file.parts?.size ?? 0);
        const end = Math.min(file.size, start + (file.parts?.size ?? file.size));
        const headers = { 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') };
        return [{ start, end, url: store.link(name), headers }];
      });
    },
    complete(key) {
      const parts = uploads.get(key)?.parts.map(({ name }) => sent.get(name)) ?? [undefined];
      if (!objects.has(key) && parts.every((part) => part !== undefined)) objects.set(key, Buffer.concat(parts));
      return objects.get(key);
    },
    forget: (key, part) => void sent.delete(uploads.get(key)?.parts[part - 1]?.name ?? ''),
    link: (key) => `${store.url}/${key}?X-Amz-Signature=secret`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(store, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

function newUpload(key: string, { sha256, parts }: Pick<CheckpointFile, 'sha256' | 'parts'>) {
  const digests = parts?.sha256 ?? [sha256];
  return { sha256, parts: digests.map((digest, i) => ({ name: `.parts/${key}/${sha256}/${i + 1}`, sha256: digest })) };
}

function slice(range: string | undefined, size: number): [number, number] {
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  return [Number(start ?? 0), end ? Math.min(size, Number(end) + 1) : size];
}

function fail(response: http.ServerResponse, status: number, code = 'InternalError'): void {
  response.writeHead(status, { 'content-type': 'application/xml', connection: 'close' });
  response.end(`<Error><Code>${code}</Code><StringToSign>secret</StringToSign></Error>`);
}

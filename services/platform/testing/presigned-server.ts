import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What goes wrong with a request: an S3 error, a connection that breaks after so many bytes, no answer at all, a changed byte, no ranges. */
export type StoreFault =
  | { readonly status: number; readonly code?: string }
  | { readonly breakAfter: number }
  | 'silence'
  | 'damage'
  | 'ignore-range';

export interface StoreRequest {
  readonly method: string;
  /** The key; of a part of an upload with its number behind a slash. */
  readonly path: string;
  readonly range: string | undefined;
}

/** What a URL allows, until a time in milliseconds since the epoch. */
export interface Grant {
  key: string;
  method: 'PUT' | 'GET';
  until: number;
  sha256?: string | undefined;
  part?: { uploadId: string; number: number };
}

/** The HTTP side of a store in memory: presigned PUT with a checksum, GET with ranges, as an S3 server has them. It goes wrong on demand. */
export interface PresignedServer {
  readonly url: string;
  /** Whole objects, by key. */
  readonly objects: Map<string, Buffer>;
  /** Multipart uploads that are not complete, by id. */
  readonly uploads: Map<string, { key: string; since: number; parts: Map<number, Buffer> }>;
  /** All that was asked, in order. */
  readonly requests: StoreRequest[];
  /** Most requests there were at one time. */
  readonly busiest: number;
  /** Called with each request; what it gives happens to it. */
  interfere: (request: StoreRequest) => StoreFault | undefined | Promise<StoreFault | undefined>;
  sign(grant: Grant): string;
  close(): Promise<void>;
}

export async function startPresignedServer(now: () => number): Promise<PresignedServer> {
  const objects: PresignedServer['objects'] = new Map();
  const uploads: PresignedServer['uploads'] = new Map();
  const grants = new Map<string, Grant>();
  const requests: StoreRequest[] = [];
  let [busy, busiest] = [0, 0];

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://test');
    const grant = grants.get(url.searchParams.get('X-Amz-Signature') ?? '');
    const key = url.pathname.slice(1);
    const path = grant?.part === undefined ? key : `${key}/${grant.part.number}`;
    const asked = { method: request.method ?? '', path, range: request.headers.range };
    requests.push(asked);
    busiest = Math.max(busiest, ++busy);
    response.once('close', () => {
      busy -= 1;
    });
    const fault = await server.interfere(asked);
    if (fault === 'silence') return;
    if (typeof fault === 'object' && 'status' in fault) fail(response, fault.status, fault.code);
    else if (grant === undefined || grant.method !== request.method || grant.key !== key) {
      fail(response, 403, 'SignatureDoesNotMatch');
    } else if (grant.until < now()) fail(response, 403, 'AccessDenied');
    else if (grant.method === 'PUT') await take(request, response, grant, fault);
    else give(response, objects.get(key), asked.range, fault);
  };

  const take = async (request: IncomingMessage, response: ServerResponse, grant: Grant, fault?: StoreFault) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (typeof fault === 'object' && 'breakAfter' in fault && bytes >= fault.breakAfter) request.socket.destroy();
    }
    const body = Buffer.concat(chunks);
    if (fault === 'damage') body[0]! ^= 1;
    const upload = grant.part && uploads.get(grant.part.uploadId);
    if (request.headers['x-amz-checksum-sha256'] !== checksumHeaders(grant.sha256)['x-amz-checksum-sha256']) {
      fail(response, 403, 'AccessDenied');
    } else if (grant.sha256 !== undefined && sha256Of(body) !== grant.sha256) {
      fail(response, 400, 'XAmzContentChecksumMismatch');
    } else if (grant.part === undefined) {
      objects.set(grant.key, body);
      response.end();
    } else if (upload === undefined) fail(response, 404, 'NoSuchUpload');
    else {
      upload.parts.set(grant.part.number, body);
      response.end();
    }
  };

  const http = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const server: PresignedServer = {
    url,
    objects,
    uploads,
    requests,
    get busiest() {
      return busiest;
    },
    interfere: () => undefined,
    sign(grant) {
      const signature = `secret-${randomUUID()}`;
      grants.set(signature, grant);
      return `${url}/${grant.key}?X-Amz-Signature=${signature}`;
    },
    close: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  return server;
}

function give(
  response: ServerResponse,
  object: Buffer | undefined,
  range: string | undefined,
  fault?: StoreFault,
): void {
  const asked = fault === 'ignore-range' ? null : /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  const size = object?.length ?? 0;
  const start = Number(asked?.[1] ?? 0);
  const end = asked?.[2] ? Math.min(size, Number(asked[2]) + 1) : size;
  if (object === undefined) fail(response, 404, 'NoSuchKey');
  else if (asked !== null && start >= size) {
    response.setHeader('content-range', `bytes */${size}`);
    fail(response, 416, 'InvalidRange');
  } else {
    const body = Buffer.from(object.subarray(start, end));
    if (fault === 'damage') body[0]! ^= 1;
    if (asked !== null) response.setHeader('content-range', `bytes ${start}-${end - 1}/${size}`);
    response.writeHead(asked === null ? 200 : 206, { 'content-length': body.length });
    if (typeof fault !== 'object' || !('breakAfter' in fault)) response.end(body);
    else response.write(body.subarray(0, fault.breakAfter), () => response.destroy());
  }
}

/** Like MinIO it answers without reading a body that it refuses, and closes the connection. */
function fail(response: ServerResponse, status: number, code = 'InternalError'): void {
  response.writeHead(status, { 'content-type': 'application/xml', connection: 'close' });
  response.end(`<Error><Code>${code}</Code><StringToSign>secret</StringToSign></Error>`);
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What a sender has to send with bytes that have this hash (hexadecimal). */
export function checksumHeaders(sha256: string | undefined): Record<string, string> {
  return sha256 === undefined ? {} : { 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') };
}

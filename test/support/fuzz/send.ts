import { request } from 'node:http';
import type { FuzzRequest } from './requests.ts';

export interface FuzzAnswer {
  status: number;
  media: string;
  headers: Record<string, string | string[] | undefined>;
  /** Empty of a stream that goes on; of that the headers alone are waited for. */
  body: string;
  ms: number;
}

const PATIENCE_MS = 5000;

/** Sends a request as it is, without the repairs of `fetch`. Rejects when it is not answered within five seconds. */
export function send(port: number, { method, target, headers, body }: FuzzRequest): Promise<FuzzAnswer> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const call = request(
      {
        port,
        host: '127.0.0.1',
        method,
        path: target,
        headers: { ...headers, ...(body && { 'content-length': body.length }) },
      },
      (response) => {
        const media = (response.headers['content-type'] ?? '').split(';')[0] as string;
        const chunks: Buffer[] = [];
        const settle = () => {
          clearTimeout(overdue);
          resolve({
            status: response.statusCode ?? 0,
            media,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('utf8'),
            ms: performance.now() - started,
          });
        };
        const follows = /[?&]follow=(true|1)/.test(target) && response.statusCode === 200;
        if (follows) {
          settle();
          call.destroy();
          return;
        }
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', settle);
        response.on('error', reject);
      },
    );
    const overdue = setTimeout(() => call.destroy(new Error(`not answered within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    call.on('error', (error) => {
      clearTimeout(overdue);
      reject(error);
    });
    call.end(body ?? undefined);
  });
}

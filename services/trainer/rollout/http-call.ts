import http from 'node:http';
import https from 'node:https';
import { lookupAllowed } from '../../platform/address-policy.ts';
import { withDeadline } from '../deadline.ts';

export interface HttpReply {
  readonly status: number;
  readonly text: string;
  /** Its `Retry-After`, as it was sent. */
  readonly retryAfter: string | undefined;
}

/** Given up on in the middle: what the server sends is longer than was allowed. */
export class ReplyTooLong extends Error {
  override readonly name = 'ReplyTooLong';
  /** In bytes. */
  readonly limit: number;

  constructor(limit: number) {
    super(`a reply of more than ${limit} bytes`);
    this.limit = limit;
  }
}

/** Connections are kept between calls: a step makes many short ones. */
const agents = {
  'http:': new http.Agent({ keepAlive: true, maxSockets: 1024 }),
  'https:': new https.Agent({ keepAlive: true, maxSockets: 1024 }),
};

/**
 * One HTTP exchange with a JSON body. Unlike fetch it has no time limit of its own, which would cut off servers that take minutes.
 *
 * @throws the connection's error, a `TimeoutError` after `timeoutMs`, or the signal's reason; ReplyTooLong.
 */
export function httpCall(params: {
  readonly url: URL;
  readonly body?: unknown;
  readonly timeoutMs: number;
  /** Of the reply; none where the server is ours to trust. */
  readonly maxBytes?: number;
  readonly signal: AbortSignal;
}): Promise<HttpReply> {
  const { url, body, timeoutMs, maxBytes = Number.POSITIVE_INFINITY, signal } = params;
  const secure = url.protocol === 'https:';
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = bytes ? { 'content-type': 'application/json', 'content-length': bytes.length } : {};
  return withDeadline(
    timeoutMs,
    signal,
    (limit) =>
      new Promise((resolve, reject) => {
        const fail = (error: unknown) => reject(limit.aborted ? limit.reason : error);
        const request = (secure ? https : http).request(
          url,
          {
            method: bytes ? 'POST' : 'GET',
            headers,
            agent: agents[secure ? 'https:' : 'http:'],
            signal: limit,
            lookup: lookupAllowed,
          },
          (response) => {
            const chunks: Buffer[] = [];
            let bytes = 0;
            response.on('data', (chunk: Buffer) => {
              bytes += chunk.length;
              if (bytes > maxBytes) response.destroy(new ReplyTooLong(maxBytes));
              else chunks.push(chunk);
            });
            response.on('error', fail);
            response.on('end', () =>
              resolve({
                status: response.statusCode ?? 0,
                text: Buffer.concat(chunks).toString(),
                retryAfter: response.headers['retry-after'],
              }),
            );
          },
        );
        request.on('error', fail);
        request.end(bytes);
      }),
  );
}

import http from 'node:http';
import https from 'node:https';
import { lookupAllowed } from '../../platform/address-policy.ts';
import { CONNECT_MS, limitConnecting } from '../../platform/limit-connecting.ts';
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

/** At a time, to one server, of calls of which there are many. */
const MOST_CONNECTIONS = 1024;

/** Connections are kept between calls: a step makes many short ones. */
const agents = {
  few: { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) },
  many: {
    'http:': new http.Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS }),
    'https:': new https.Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS }),
  },
};

export interface HttpCall {
  readonly url: URL;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Milliseconds so far that do not count for `timeoutMs`. */
  readonly uncounted?: () => number;
  /** Of the reply; none where the server is ours to trust. */
  readonly maxBytes?: number;
  /** Of how many like it at a time: `many` (the default) wait for one another's connections, within their time limit; `few` for nobody. */
  readonly among?: keyof typeof agents;
  readonly signal: AbortSignal;
}

/**
 * One HTTP exchange with a JSON body. Unlike fetch it has no time limit of its own, which would cut off servers that take minutes; a
 * connection has to stand within `CONNECT_MS`. One that was kept, and that the server closed just when it was used again, is replaced.
 *
 * @throws the connection's error, a `TimeoutError` after `timeoutMs`, or the signal's reason; ReplyTooLong.
 */
export async function httpCall(call: HttpCall): Promise<HttpReply> {
  const work = async (limit: AbortSignal) => (await exchange(call, limit)) ?? (await exchange(call, limit, false))!;
  return withDeadline(call.timeoutMs, call.signal, work, call.uncounted);
}

/** @returns null when a kept connection turned out to be closed before a byte of the answer; never over one that is new */
function exchange(call: HttpCall, limit: AbortSignal, keptOnes = true): Promise<HttpReply | null> {
  const { url, body, maxBytes = Number.POSITIVE_INFINITY, among = 'many' } = call;
  const secure = url.protocol === 'https:';
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const ofBody = bytes ? { 'content-type': 'application/json', 'content-length': bytes.length } : {};
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(limit.aborted ? limit.reason : error);
    const request = (secure ? https : http).request(
      url,
      {
        method: bytes ? 'POST' : 'GET',
        headers: { ...ofBody, ...call.headers },
        agent: keptOnes ? agents[among][secure ? 'https:' : 'http:'] : false,
        signal: limit,
        lookup: lookupAllowed,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let received = 0;
        response.on('data', (chunk: Buffer) => {
          received += chunk.length;
          if (received > maxBytes) response.destroy(new ReplyTooLong(maxBytes));
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
    let answered = false;
    request.once('response', () => {
      answered = true;
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      const closed = request.reusedSocket && !answered && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '');
      if (closed && keptOnes && !limit.aborted) resolve(null);
      else fail(error);
    });
    limitConnecting(request, CONNECT_MS, () =>
      Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }),
    );
    request.end(bytes);
  });
}

import http from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { CONNECT_MS, limitConnecting } from '../limit-connecting.ts';
import { placeOf, TransferError } from './transfer-error.ts';

const MAX_ERROR_BYTES = 16 * 1024;

/** Idle connections do not keep the process alive. */
const agents = {
  'http:': new http.Agent({ keepAlive: true }),
  'https:': new https.Agent({ keepAlive: true }),
};

/** @param idleMs the request fails when nothing moves for so long, in milliseconds; the connection has to stand within ten seconds */
export function openRequest(
  url: string,
  options: {
    method: 'GET' | 'HEAD' | 'PUT' | 'POST';
    headers: Record<string, string | number>;
    signal: AbortSignal;
    idleMs: number;
    lookup?: LookupFunction;
    /** Whose connections are used; ours, which go straight there, where it is left out. */
    agent?: http.Agent;
  },
): http.ClientRequest {
  const { idleMs, ...rest } = options;
  const parsed = new URL(url);
  const secure = parsed.protocol === 'https:';
  const agent = options.agent ?? agents[secure ? 'https:' : 'http:'];
  const request = (secure ? https : http).request(parsed, { ...rest, agent });
  request.setTimeout(idleMs, () => request.destroy(new Error(`nothing moved for ${idleMs / 1000} s`)));
  limitConnecting(request, CONNECT_MS, () => new Error(`no connection within ${CONNECT_MS / 1000} s`));
  return request;
}

/** The answer's head; rejects when the connection breaks before it. */
export function answerOf(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    request.once('close', () => reject(new Error('the connection was closed before an answer')));
  });
}

export function isSuccess({ statusCode = 0 }: http.IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

/** Reads an answer to its end; gives the code of an S3 error. Nothing else of it may be shown: it can repeat what was signed. */
export async function errorCodeOf(response: http.IncomingMessage): Promise<string | undefined> {
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (text.length < MAX_ERROR_BYTES) text += chunk.toString('latin1');
  }
  return /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(text)?.[1];
}

export function unreachable(url: string, cause: unknown): TransferError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TransferError('unreachable', `${placeOf(url)} cannot be reached: ${why}`, { cause });
}

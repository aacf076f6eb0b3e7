import * as http from 'node:http';
import * as https from 'node:https';
import { CONNECT_MS, limitConnecting } from '../limit-connecting.ts';
import { readFailure } from './s3-failure.ts';

/** A minute without a byte is a dead connection. */
export const IDLE_MS = 60_000;
/** A server may copy the parts of an upload to join them, and say nothing until it has. */
const JOIN_IDLE_MS = 15 * 60_000;

/**
 * How the minio client sends requests here. It differs from `node:http` in three things: a connection that does not come about within
 * ten seconds or stands still for `idleMs` ends with ETIMEDOUT, one that refused a body is not used again, and every error answer becomes an S3Failure. The client alone would drop the body of a 5xx answer, the
 * code in it and the connection with it.
 */
export function s3Transport(protocol: 'http:' | 'https:', idleMs: number): Pick<typeof http, 'request'> {
  const base = protocol === 'https:' ? https : http;
  const request = (options: http.RequestOptions, onResponse: (response: http.IncomingMessage) => void) => {
    const sent = base.request(options, (response) => {
      if ((response.statusCode ?? 0) < 300) onResponse(response);
      else {
        // MinIO refuses a body without reading it and then closes the connection unannounced: the next request on it would be lost.
        if (options.method === 'PUT' || options.method === 'POST') sent.shouldKeepAlive = false;
        readFailure(response).then(fail, fail);
      }
    });
    const fail = (error: unknown) => void sent.emit('error', error);
    const patienceMs = isJoin(options) ? JOIN_IDLE_MS : idleMs;
    sent.setTimeout(patienceMs, () => sent.destroy(timedOut(`no byte for ${patienceMs / 1000} seconds`)));
    limitConnecting(sent, CONNECT_MS, () => timedOut(`no connection within ${CONNECT_MS / 1000} seconds`));
    return sent;
  };
  // The client calls only this one of the overloads.
  return { request: request as typeof http.request };
}

/** Connections are kept and reused; one that the server has closed meanwhile fails with ECONNRESET, which is tried again. */
export function s3Agent(protocol: 'http:' | 'https:'): http.Agent {
  const options = { keepAlive: true, maxSockets: 64 };
  return protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
}

/** The other POSTs, which begin an upload, are answered at once. */
function isJoin({ method, path }: http.RequestOptions): boolean {
  return method === 'POST' && /[?&]uploadId=/.test(path ?? '');
}

function timedOut(message: string): Error {
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}

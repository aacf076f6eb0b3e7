import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_MEDIA_TYPE, type Problem } from '../../contracts/problem.ts';
import { ProblemError } from './problem-error.ts';
import { toProblem } from './problem-response.ts';

const MAX_HEADER_BYTES = 16 * 1024;

export interface ListenerLimits {
  /** Milliseconds to send all headers, and to send a whole request. */
  headersMs: number;
  requestMs: number;
  /** How often the two are looked at. */
  checkMs: number;
  maxConnections: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  headersMs: 10_000,
  requestMs: 60_000,
  checkMs: 5_000,
  maxConnections: 2048,
};

/** An HTTP server that slow and idle clients cannot fill. Answers, streams among them, may take as long as they like. */
export function createListener(app: RequestListener, limits: ListenerLimits = LISTENER_LIMITS): Server {
  const server = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.checkMs,
      keepAliveTimeout: 15_000,
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false,
    },
    app,
  );
  server.maxConnections = limits.maxConnections;
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    socket.end(rejection(error.code));
  });
  return server;
}

/** The answer to what is no HTTP request, or not a whole one; no handler gets to see it. */
function rejection(code: string | undefined): string {
  const [line, problem] =
    code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? (['408 Request Timeout', tooSlow()] as const)
      : (['400 Bad Request', malformed(code)] as const);
  const body = JSON.stringify(problem);
  return [
    `HTTP/1.1 ${line}`,
    'Connection: close',
    `Content-Type: ${PROBLEM_MEDIA_TYPE}; charset=utf-8`,
    'Cache-Control: no-store',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

function malformed(code: string | undefined): Problem {
  const detail =
    code === 'HPE_HEADER_OVERFLOW'
      ? `The request line and the headers have more than ${MAX_HEADER_BYTES / 1024} KiB; shorten the query.`
      : 'This is not a well-formed HTTP/1.1 request; send it by an HTTP client.';
  return toProblem(new ProblemError('invalid-request', detail), `urn:uuid:${randomUUID()}`);
}

/** What says all by its status has no type of its own (RFC 9457, 4.2.1). */
function tooSlow(): Problem {
  const detail = 'The request did not arrive in time; send it again, over a faster connection.';
  return { type: 'about:blank', title: 'Request Timeout', status: 408, detail, instance: `urn:uuid:${randomUUID()}` };
}

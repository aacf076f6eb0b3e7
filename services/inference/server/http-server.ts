import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ApiError, errorBody } from './api-error.ts';
import { readJsonBody } from './read-body.ts';
import type { Reply, Route } from './route.ts';
import { foreseenError, internalError } from './to-api-error.ts';

/**
 * Serves routes over plain HTTP. Errors have vLLM's shape whatever their cause.
 * @param unexpected told of errors that no handler foresaw, for the log.
 */
export function createHttpServer(params: {
  readonly routes: readonly Route[];
  readonly maxBodyBytes: number;
  readonly unexpected: (error: unknown, request: { readonly method: string; readonly path: string }) => void;
}): Server {
  const { routes, maxBodyBytes, unexpected } = params;
  // Longer than clients pause between two training steps, so that a kept connection is not closed under a request.
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const method = request.method ?? 'GET';
    answer(request, response, method, path).catch((error: unknown) => {
      const known = foreseenError(error);
      if (known === null) unexpected(error, { method, path });
      sendError(response, known ?? internalError());
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse, method: string, path: string) {
    const route = findRoute(routes, method, path);
    const gone = new AbortController();
    response.on('close', () => {
      if (!response.writableFinished) gone.abort(new ApiError(499, 'ClientDisconnected', 'the client went away'));
    });
    const body = route.method === 'POST' && !route.takesNoBody ? await readJsonBody(request, maxBodyBytes) : undefined;
    const reply = await route.handle({ body, requestId: requestIdOf(request), signal: gone.signal });
    await send(response, reply);
  }

  return server;
}

function findRoute(routes: readonly Route[], method: string, path: string): Route {
  const here = routes.filter((route) => route.path === path);
  if (here.length === 0) throw new ApiError(404, 'Not Found', 'Not Found');
  const route = here.find((candidate) => candidate.method === method);
  if (route === undefined) throw new ApiError(405, 'Method Not Allowed', 'Method Not Allowed');
  return route;
}

function requestIdOf(request: IncomingMessage): string | undefined {
  const header = request.headers['x-request-id'];
  return typeof header === 'string' && /^[\w.:-]{1,128}$/.test(header) ? header : undefined;
}

async function send(response: ServerResponse, reply: Reply): Promise<void> {
  switch (reply.kind) {
    case 'json':
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body));
      return;
    case 'text':
      // vLLM's empty answers carry no content type.
      response.writeHead(
        200,
        reply.body === '' ? {} : { 'content-type': reply.contentType ?? 'text/plain; charset=utf-8' },
      );
      response.end(reply.body);
      return;
    case 'stream':
      await sendEvents(response, reply.run);
  }
}

/** An error after the first event cannot change the status any more: vLLM sends it as an event. */
async function sendEvents(response: ServerResponse, run: (send: (event: unknown) => void) => Promise<void>) {
  const write = (data: string) => {
    if (!response.destroyed) response.write(`data: ${data}\n\n`);
  };
  const start = () => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  };
  try {
    await run((event) => {
      start();
      write(JSON.stringify(event));
    });
    start();
  } catch (error) {
    if (!response.headersSent) throw error;
    const known = foreseenError(error);
    if (known === null) throw error;
    write(JSON.stringify(errorBody(known)));
  }
  write('[DONE]');
  response.end();
}

function sendError(response: ServerResponse, error: ApiError): void {
  if (response.destroyed || response.headersSent) {
    response.destroy();
    return;
  }
  // A body that was refused half way has to be cut off, or the client would go on sending it.
  const close = error.status === 413 ? { connection: 'close' } : {};
  response
    .writeHead(error.status, { 'content-type': 'application/json', ...close })
    .end(JSON.stringify(errorBody(error)));
}

import type { RequestHandler } from 'express';
import type { Logger } from '../../platform/logger.ts';

/** Paths that are asked for every few seconds by whatever watches the process. */
const QUIET = ['/healthz', '/readyz', '/metrics'] as const;

/** One line per request, when its answer is over: `POST /runs 201 12 ms`. A query is left out: it may hold anything. */
export function requestLog({ log, now }: { log: Pick<Logger, 'info' | 'debug'>; now: () => number }): RequestHandler {
  return function logRequest(request, response, next) {
    const started = now();
    const { method, path } = request;
    response.once('close', () => {
      const cut = response.writableFinished ? '' : ' (client gone)';
      const line = `${method} ${path.slice(0, 200)} ${response.statusCode} ${Math.round(now() - started)} ms${cut}`;
      if ((QUIET as readonly string[]).includes(path)) log.debug(line);
      else log.info(line);
    });
    next();
  };
}

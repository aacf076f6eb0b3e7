import express, { type Express, type RequestHandler } from 'express';
import { type AgentOperations, agentOperations } from '../../contracts/agent-operations.ts';
import type { Logger } from '../../platform/logger.ts';
import { bearerToken } from './bearer.ts';
import { bindOperations } from './bind.ts';
import type { Handlers } from './handlers.ts';
import { ProblemError } from './problem-error.ts';
import { problemHandler } from './problem-response.ts';
import { nothingHere, securityHeaders } from './public-app.ts';
import { requestLog } from './request-log.ts';

const BODY_LIMIT_BYTES = 16 * 1024 * 1024;

export interface AgentAppOptions {
  handlers: Handlers<AgentOperations>;
  /** Whether the token is the one of the attempt (`run-7k3m9q2d.a1`), open or closed. It may throw a ProblemError that says more. */
  authenticate: (attemptId: string, token: string) => boolean;
  log: Pick<Logger, 'debug' | 'error'>;
  now: () => number;
  /** Sees every request, also those that are refused. */
  measure?: RequestHandler;
  checkResponses?: boolean;
}

/** The agent API, by which trainers meet the control plane. Every call carries the token of its attempt. */
export function createAgentApp({
  handlers,
  authenticate,
  log,
  now,
  measure,
  checkResponses = false,
}: AgentAppOptions): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').set('query parser', false);
  if (measure !== undefined) app.use(measure);
  // Heartbeats come every few seconds from every trainer.
  app.use(securityHeaders(), requestLog({ log: { info: log.debug, debug: log.debug }, now }));
  bindOperations(app, {
    operations: agentOperations,
    handlers,
    bodyLimit: BODY_LIMIT_BYTES,
    checkResponses,
    authorize: (request, params) => {
      const token = bearerToken(request);
      if (token !== undefined && authenticate(String(params['id']), token)) return;
      throw new ProblemError(
        'unauthorized',
        'This needs the token of the attempt: send the header `Authorization: Bearer <content of the file TANDEM_TOKEN_FILE>`.',
      );
    },
  });
  app.use(nothingHere);
  app.use(problemHandler({ log }));
  return app;
}

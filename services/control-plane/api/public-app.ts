import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import { type Operations, operations } from '../../contracts/operations.ts';
import type { Logger } from '../../platform/logger.ts';
import { createRedactor, type Redactor } from '../../platform/redaction.ts';
import { basicPassword, bearerToken, sameSecret } from './bearer.ts';
import { bindOperations } from './bind.ts';
import { docsPage } from './docs-page.ts';
import type { Handlers } from './handlers.ts';
import { type HostGuardOptions, hostGuard } from './host-guard.ts';
import type { Idempotency } from './idempotency.ts';
import { openApiDocument } from './openapi-document.ts';
import { ProblemError } from './problem-error.ts';
import { problemHandler } from './problem-response.ts';
import { requestLog } from './request-log.ts';

const BODY_LIMIT_BYTES = 1024 * 1024;
/** What needs no token: probes, and the description of the API, which holds nothing of this installation. */
const OPEN_PATHS = /^\/(healthz|readyz|openapi\.json|docs(\/.*)?)?$/;

const BASIC = 'Basic realm="tandem", charset="UTF-8"';

export interface PublicAppOptions {
  handlers: Handlers<Operations>;
  settings: HostGuardOptions & {
    /** `TANDEM_API_KEY`; null: no token is asked for. */
    apiKey: string | null;
  };
  log: Pick<Logger, 'info' | 'debug' | 'error'>;
  now: () => number;
  idempotency: Idempotency;
  redactor?: Redactor;
  /** Sees every request, also those that are refused. */
  measure?: RequestHandler;
  checkResponses?: boolean;
}

/** The public API with its documentation, in order: headers, log line, Host and Origin, token, operation, problem. */
export function createPublicApp({
  handlers,
  settings,
  log,
  now,
  idempotency,
  redactor = createRedactor({}),
  measure,
  checkResponses = false,
}: PublicAppOptions): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').set('query parser', false);
  if (measure !== undefined) app.use(measure);
  app.use(securityHeaders(), requestLog({ log, now }), hostGuard(settings), tokenGuard(settings.apiKey));
  app.get('/', (_request, response) => response.redirect(302, '/docs/'));
  app.get('/openapi.json', (_request, response) => void response.json(openApiDocument()));
  app.use(docsPage());
  bindOperations(app, { operations, handlers, bodyLimit: BODY_LIMIT_BYTES, idempotency, checkResponses });
  app.use(nothingHere);
  app.use(problemHandler({ log, redactor }));
  return app;
}

/** Headers of every answer. The API answers no web pages, so its policy allows nothing; the documentation sets its own. */
export function securityHeaders(): RequestHandler[] {
  return [
    helmet({
      contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
      // Tandem is served over plain HTTP; a proxy that adds TLS decides about this one.
      strictTransportSecurity: false,
    }),
    function neverStored(_request, response, next) {
      response.setHeader('Cache-Control', 'no-store');
      next();
    },
  ];
}

export const nothingHere: RequestHandler = (request) => {
  throw new ProblemError(
    'not-found',
    `There is nothing at ${request.path.slice(0, 200)}; /openapi.json lists what there is.`,
  );
};

/**
 * A browser has no token to send with a page that somebody opens, so it may ask its user for a password. With that it reads: it sends it by
 * itself from then on, also where a page of somebody else makes it ask.
 */
function tokenGuard(apiKey: string | null): RequestHandler {
  return function guardToken(request, response, next) {
    if (apiKey !== null && !OPEN_PATHS.test(request.path)) {
      const reads = request.method === 'GET' || request.method === 'HEAD';
      const token = bearerToken(request) ?? (reads ? basicPassword(request) : undefined);
      if (token === undefined || !sameSecret(token, apiKey)) {
        const isPage = reads && request.accepts(['json', 'html']) === 'html';
        if (isPage) response.setHeader('WWW-Authenticate', BASIC);
        throw new ProblemError(
          'unauthorized',
          'This address needs a token: send the header `Authorization: Bearer <TANDEM_API_KEY>`.',
        );
      }
    }
    next();
  };
}

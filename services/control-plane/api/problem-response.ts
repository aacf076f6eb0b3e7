import { randomUUID } from 'node:crypto';
import type { ErrorRequestHandler, Response } from 'express';
import { PROBLEM_MEDIA_TYPE, type Problem, problems } from '../../contracts/problem.ts';
import type { Logger } from '../../platform/logger.ts';
import { createRedactor, type Redactor } from '../../platform/redaction.ts';
import { storageFault } from '../../platform/storage-error.ts';
import { ProblemError } from './problem-error.ts';

/** Seconds after which trying again makes sense. */
const RETRY_AFTER: Partial<Record<ProblemError['type'], number>> = { 'too-many-requests': 5, unavailable: 2 };

/**
 * The one place where an error becomes an answer (RFC 9457). What is not a ProblemError is the disk's doing, which may pass, or a bug: of
 * that the client is shown an id only, the log has the rest under that id.
 */
export function problemHandler({
  log,
  redactor = createRedactor({}),
}: {
  log: Pick<Logger, 'error'>;
  /** What people have sent is quoted in answers, and comes into the logs of their tools. */
  redactor?: Redactor;
}): ErrorRequestHandler {
  return function answerProblem(error: unknown, request, response, _next) {
    const known = asProblemError(error);
    const instance = `urn:uuid:${randomUUID()}`;
    if (known.type === 'internal' || storageFault(known) !== null) {
      log.error(`${request.method} ${request.path} failed`, { instance, error: known.cause });
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    sendProblem(response, redactor.value(toProblem(known, instance)));
  };
}

/** The document a client is shown. */
export function toProblem(error: ProblemError, instance: string): Problem {
  const { status, title } = problems[error.type];
  return {
    type: `urn:tandem:problem:${error.type}`,
    title,
    status,
    detail: error.message,
    instance,
    ...(error.issues && error.issues.length > 0 ? { issues: error.issues.map((issue) => ({ ...issue })) } : {}),
  };
}

function sendProblem(response: Response, problem: Problem): void {
  const type = problem.type.slice(problem.type.lastIndexOf(':') + 1) as ProblemError['type'];
  const retryAfter = RETRY_AFTER[type];
  if (retryAfter !== undefined) response.setHeader('Retry-After', retryAfter);
  if (type === 'unauthorized') response.appendHeader('WWW-Authenticate', 'Bearer realm="tandem"');
  response.status(problem.status).type(PROBLEM_MEDIA_TYPE).send(JSON.stringify(problem));
}

function asProblemError(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  // Express cannot decode the path, for example `/runs/%`.
  if (error instanceof URIError) {
    return new ProblemError(
      'invalid-request',
      'The path holds a malformed percent-encoding; write a percent sign as %25.',
    );
  }
  const fault = storageFault(error);
  if (fault !== null) {
    const detail = `Tandem cannot write or read what this needs: ${fault.message}. Its log names the place; then send the request again.`;
    return new ProblemError('unavailable', detail, { cause: error });
  }
  return new ProblemError('internal', problems.internal.example, { cause: error });
}

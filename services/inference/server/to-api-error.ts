import { ModelError } from '../../contracts/model-error.ts';
import { EngineMemoryError } from '../../model/errors.ts';
import { EngineDeadError, EngineRefusal } from '../engine/engine-errors.ts';
import { ApiError, badRequest } from './api-error.ts';

/** What the client is told of an error; null for one that nobody foresaw, which belongs in the log. */
export function foreseenError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error;
  if (error instanceof EngineRefusal) {
    return error.kind === 'too_large' ? badRequest(error.message) : unavailable(error.message);
  }
  if (error instanceof EngineMemoryError) return unavailable(error.message);
  if (error instanceof ModelError) return badRequest(error.message);
  if (error instanceof EngineDeadError) return new ApiError(500, 'InternalServerError', error.message);
  return null;
}

export function internalError(): ApiError {
  return new ApiError(500, 'InternalServerError', 'internal error: the server log has the cause');
}

function unavailable(message: string): ApiError {
  return new ApiError(503, 'ServiceUnavailableError', message);
}

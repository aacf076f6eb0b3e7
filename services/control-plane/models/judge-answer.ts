import type { IncomingHttpHeaders } from 'node:http';
import { retryAfterMs } from '../../platform/retry.ts';
import { placeOf } from '../../platform/transfer/transfer-error.ts';
import type { HubAccess, HubAnswer } from './hub-request.ts';
import { ModelFetchError } from './model-fetch-error.ts';

/** What was asked for, for messages. */
export interface Asked {
  repo: string;
  revision: string;
  /** Null: the model itself. */
  file: string | null;
}

const MAX_WAIT_MS = 300_000;

/**
 * What an answer that is no success means. A hub says why in `X-Error-Code`; 401 without one is what it answers about models that are not there, or not for
 * everybody, so as not to tell which.
 */
export function judgeAnswer(
  { response, url, isHub }: HubAnswer,
  { repo, revision, file }: Asked,
  access: HubAccess,
): ModelFetchError {
  const { statusCode: status = 0, headers } = response;
  const code = headers['x-error-code'];
  const said = headers['x-error-message'];
  const place = placeOf(url);
  if (status === 429 || status === 408 || status >= 500) {
    const busy = status === 429 && access.token === null ? '; with HF_TOKEN it allows more' : '';
    const message = `${place} answered ${status}; try again later, or set HF_ENDPOINT to a mirror${busy}`;
    return new ModelFetchError('unreachable', message, { retryAfterMs: waitOf(headers) });
  }
  // A link that the hub has signed holds for an hour or so; the next try gets a new one.
  if (!isHub && (status === 401 || status === 403))
    return new ModelFetchError('unreachable', `${place} answered ${status}`);
  if (code === 'GatedRepo') return new ModelFetchError('gated', gated(repo, access));
  if (said === 'Access to this resource is disabled.') {
    return new ModelFetchError('refused', `${repo} has been disabled by ${access.endpoint}; choose another model`);
  }
  if (status === 401 && said === 'Invalid credentials in Authorization header') {
    return new ModelFetchError(
      'gated',
      `${access.endpoint} does not accept HF_TOKEN; set a token that holds, or none for a public model`,
    );
  }
  if (code === 'RevisionNotFound') {
    const remedy = 'set model.revision to a branch, a tag or a commit of it';
    return new ModelFetchError('missing', `${repo} has no revision ${revision}; ${remedy}`);
  }
  if (code === 'EntryNotFound' || (status === 404 && file !== null && code === undefined)) {
    return new ModelFetchError('missing', `${repo} at ${revision} has no file ${file ?? ''}; choose another revision`);
  }
  if (code === 'RepoNotFound' || status === 401 || status === 403 || status === 404) {
    return new ModelFetchError('missing', unknown(repo, access));
  }
  return new ModelFetchError('refused', `${place} answered ${status}; look whether HF_ENDPOINT is a model hub`);
}

function gated(repo: string, { endpoint, token }: HubAccess): string {
  const page = `${endpoint}/${repo}`;
  return token === null
    ? `${repo} is only for those whom its owner lets in: ask at ${page}, then set HF_TOKEN to a token of that account`
    : `${repo} is only for those whom its owner lets in, and the account of HF_TOKEN is not among them: ask at ${page}`;
}

function unknown(repo: string, { endpoint, token }: HubAccess): string {
  const may = token === null ? 'set HF_TOKEN if it is private' : 'or let the account of HF_TOKEN read it';
  return `${endpoint} has no model ${repo} for this caller; look how it is spelled, ${may}`;
}

/** `Retry-After` in seconds or as a date, else the seconds until the limit is reset: `RateLimit: "api";r=0;t=55`. */
function waitOf(headers: IncomingHttpHeaders): number | null {
  const header = headers['retry-after'] ?? /\bt=(\d+)/.exec(String(headers['ratelimit']))?.[1];
  return retryAfterMs(header, MAX_WAIT_MS);
}

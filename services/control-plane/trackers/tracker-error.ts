import { retryAfterMs } from '../../platform/retry.ts';

/**
 * Why a server did not take something. `unreachable` may pass by itself (no connection, no answer in time, 408, 5xx); `throttled`: too many requests (429);
 * `key`: it does not know who asks, or lets them not do this (401, 403); `refused`: anything else, which takes a change of settings or of what is there.
 */
export type TrackerErrorKind = 'unreachable' | 'throttled' | 'key' | 'refused';

/** What a person has to change is looked at again after so long, for when the change was made over there. */
const HOLD_MS: Readonly<Record<TrackerErrorKind, number>> = {
  unreachable: 0,
  throttled: 30_000,
  key: 900_000,
  refused: 900_000,
};
const LONGEST_HOLD_MS = 3_600_000;

/** The message says what helps, and holds nothing that authorizes. */
export class TrackerError extends Error {
  override readonly name = 'TrackerError';
  readonly kind: TrackerErrorKind;
  /** The server's own word, such as RESOURCE_DOES_NOT_EXIST, where it has such. */
  readonly code: string | null;
  /** Not to be asked again sooner, in milliseconds. */
  readonly holdMs: number;

  constructor(
    kind: TrackerErrorKind,
    message: string,
    { code = null, holdMs, ...options }: ErrorOptions & { code?: string | null; holdMs?: number } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.code = code;
    this.holdMs = holdMs ?? HOLD_MS[kind];
  }
}

/** What a tracker says of its server, with what helps. Each ends a sentence. */
export interface TrackerWords {
  /** 401 */
  unknown: string;
  /** 403 */
  forbidden: string;
  refused: string;
  unreachable: string;
  notJson: string;
}

/** An answer that is no success. */
export interface FailedAnswer {
  url: string;
  status: number;
  /** What the request does. */
  what: string;
  /** The server's message, and its word for it. */
  said: string;
  code: string | null;
  /** `Retry-After`, in seconds or as a date. */
  retryAfter: string | undefined;
}

/** What such an answer means. @param now milliseconds since 1970 */
export function judgeAnswer(
  { url, status, what, said, code, retryAfter }: FailedAnswer,
  words: TrackerWords,
  now: number,
): TrackerError {
  const answered = `${url} answered ${status} to ${what}${said === '' ? '' : ` (${said})`}`;
  if (status === 401) return new TrackerError('key', `${answered}: ${words.unknown}`, { code });
  if (status === 403) return new TrackerError('key', `${answered}: ${words.forbidden}`, { code });
  if (status === 429) {
    const holdMs = retryAfterMs(retryAfter, LONGEST_HOLD_MS, now);
    const hold = holdMs === null ? {} : { holdMs };
    return new TrackerError('throttled', `${answered}: too many requests; it is tried again`, { code, ...hold });
  }
  if (status === 408 || status >= 500)
    return new TrackerError('unreachable', `${answered}; it is tried again`, { code });
  return new TrackerError('refused', `${answered}; ${words.refused}`, { code });
}

export function unreachable(url: string, words: TrackerWords, cause: unknown): TrackerError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TrackerError('unreachable', `${url} cannot be reached: ${why}; ${words.unreachable}`, { cause });
}

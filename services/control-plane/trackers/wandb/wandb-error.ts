import type { IncomingHttpHeaders } from 'node:http';

/**
 * Why W&B did not take something. `unreachable` may pass by itself (no connection, no answer in time, 408, 5xx); `throttled`: too many requests (429);
 * `key`: it does not know the key or lets it do this (401, 403); `refused`: anything else, which takes a change of settings.
 */
export type WandbErrorKind = 'unreachable' | 'throttled' | 'key' | 'refused';

/** The message says what helps, and holds no key. */
export class WandbError extends Error {
  readonly kind: WandbErrorKind;
  /** Not to be asked again sooner, in milliseconds. */
  readonly holdMs: number;

  constructor(kind: WandbErrorKind, message: string, { holdMs, ...options }: ErrorOptions & { holdMs?: number } = {}) {
    super(message, options);
    this.name = 'WandbError';
    this.kind = kind;
    this.holdMs = holdMs ?? HOLD_MS[kind];
  }
}

/** What a person has to change is looked at again after so long, for when the change was made over there. */
const HOLD_MS: Readonly<Record<WandbErrorKind, number>> = {
  unreachable: 0,
  throttled: 30_000,
  key: 900_000,
  refused: 900_000,
};
const LONGEST_HOLD_MS = 3_600_000;

/** What an answer that is no success means. `said` is what W&B says about it. */
export function judgeAnswer(
  { status, headers, said }: { status: number; headers: IncomingHttpHeaders; said: string },
  { baseUrl, what, now }: { baseUrl: string; what: string; now: number },
): WandbError {
  const quoted = said === '' ? '' : ` (${said})`;
  const answered = `${baseUrl} answered ${status} to ${what}${quoted}`;
  if (status === 401) {
    const remedy =
      'set WANDB_API_KEY to a key of that server (its page /authorize shows it), and WANDB_BASE_URL if it is your own';
    return new WandbError('key', `${answered}: it does not know the key; ${remedy}`);
  }
  if (status === 403) {
    const remedy = 'set WANDB_ENTITY or monitoring.wandb_entity to a team that the key belongs to, or use another key';
    return new WandbError('key', `${answered}: the key may not write there; ${remedy}`);
  }
  if (status === 429) {
    const holdMs = waitOf(headers, now);
    return new WandbError('throttled', `${answered}: too many requests; it is tried again`, {
      ...(holdMs !== null && { holdMs }),
    });
  }
  if (status === 408 || status >= 500) return new WandbError('unreachable', `${answered}; it is tried again`);
  const remedy = 'look at the project and the run there; force_new_wandb_run or another wandb_run_id starts a new one';
  return new WandbError('refused', `${answered}; ${remedy}`);
}

export function unreachable(baseUrl: string, cause: unknown): WandbError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const remedy = 'look whether this machine may reach it, or set WANDB_BASE_URL; until then rows lie in wandb_backup/';
  return new WandbError('unreachable', `${baseUrl} cannot be reached: ${why}; ${remedy}`, { cause });
}

/** `Retry-After`, in seconds or as a date. */
function waitOf(headers: IncomingHttpHeaders, now: number): number | null {
  const header = headers['retry-after'];
  if (header === undefined) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(LONGEST_HOLD_MS, Math.max(0, ms)) : null;
}

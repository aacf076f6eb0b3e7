/**
 * Why MLflow did not take something. `unreachable` may pass by itself (no connection, no answer in time, 408, 5xx); `throttled`: 429; `key`: it does not
 * know who asks, or lets them not do this (401, 403); `refused`: anything else, which takes a change of settings or of what is there.
 */
export type MlflowErrorKind = 'unreachable' | 'throttled' | 'key' | 'refused';

/** What a person has to change is looked at again after so long, for when the change was made over there. */
const HOLD_MS: Readonly<Record<MlflowErrorKind, number>> = {
  unreachable: 0,
  throttled: 30_000,
  key: 900_000,
  refused: 900_000,
};
const LONGEST_HOLD_MS = 3_600_000;

/** The message says what helps, and holds nothing that authorizes. */
export class MlflowError extends Error {
  override readonly name = 'MlflowError';
  readonly kind: MlflowErrorKind;
  /** MLflow's own word, such as RESOURCE_DOES_NOT_EXIST. */
  readonly code: string | null;
  /** Not to be asked again sooner, in milliseconds. */
  readonly holdMs: number;

  constructor(
    kind: MlflowErrorKind,
    message: string,
    { code = null, holdMs, ...options }: ErrorOptions & { code?: string | null; holdMs?: number } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.code = code;
    this.holdMs = holdMs ?? HOLD_MS[kind];
  }
}

/** What an answer that is no success means. `said` is MLflow's message, `retryAfter` its header, in seconds. */
export function judgeAnswer(answer: {
  uri: string;
  status: number;
  what: string;
  code: string | null;
  said: string;
  retryAfter: string | undefined;
}): MlflowError {
  const { uri, status, what, code, said, retryAfter } = answer;
  const answered = `${uri} answered ${status} to ${what}${said === '' ? '' : ` (${said})`}`;
  if (status === 401 || status === 403) {
    const remedy =
      'set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in .env, and start the control plane again; ' +
      'they are sent to the server of MLFLOW_TRACKING_URI alone';
    return new MlflowError(
      'key',
      `${answered}: ${status === 401 ? 'it does not know who asks' : 'it does not permit it'}; ${remedy}`,
      { code },
    );
  }
  if (status === 429) {
    const seconds = /^\d+$/.test(retryAfter ?? '') ? Number(retryAfter) : null;
    const hold = seconds === null ? {} : { holdMs: Math.min(LONGEST_HOLD_MS, seconds * 1000) };
    return new MlflowError('throttled', `${answered}: too many requests; it is tried again`, { code, ...hold });
  }
  if (status === 408 || status >= 500)
    return new MlflowError('unreachable', `${answered}; it is tried again`, { code });
  const remedy = 'look at the experiment and the run there; monitoring.mlflow_experiment names another one';
  return new MlflowError('refused', `${answered}; ${remedy}`, { code });
}

export function unreachable(uri: string, cause: unknown): MlflowError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const remedy =
    'look whether it runs and whether this machine may reach it, or set MLFLOW_TRACKING_URI; nothing is lost until then';
  return new MlflowError('unreachable', `${uri} cannot be reached: ${why}; ${remedy}`, { cause });
}

/**
 * Why a model cannot be fetched. `unreachable` may pass by itself; the rest will not: `gated` needs a token, or a grant by the model's owner; `missing` is no such
 * model, revision or file; `damaged` other bytes than were announced, again and again; `disk_full` no room for it here; `refused` anything else.
 */
export type ModelFetchErrorKind = 'unreachable' | 'gated' | 'missing' | 'damaged' | 'disk_full' | 'refused';

/** The message says what, where and the remedy, and never holds a token or the query of a URL. */
export class ModelFetchError extends Error {
  override readonly name = 'ModelFetchError';
  readonly kind: ModelFetchErrorKind;
  /** How long the other side asks to be left alone, in milliseconds; null where it does not say. */
  readonly retryAfterMs: number | null;

  constructor(
    kind: ModelFetchErrorKind,
    message: string,
    { retryAfterMs = null, ...options }: ErrorOptions & { retryAfterMs?: number | null } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

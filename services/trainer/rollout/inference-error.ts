/**
 * How a call to the inference server went wrong:
 * - `unreachable`: no connection, a broken one, 5xx
 * - `busy`: it answers 429, or 503 with a time to come back at
 * - `timeout`: no answer in time, and nothing is known of what it does
 * - `stuck`: no answer in time, and it says itself that it gets nothing done
 * - `unknown_model`: it does not know the name: it has been restarted
 * - `garbled`: an answer that cannot be read, or to another question: a proxy's page, half a body
 * - `not_numbers`: what the policy computes is NaN
 * - `refused`: anything else, which will not change by itself
 */
export type InferenceErrorKind =
  | 'unreachable'
  | 'busy'
  | 'timeout'
  | 'stuck'
  | 'unknown_model'
  | 'garbled'
  | 'not_numbers'
  | 'refused';

export class InferenceError extends Error {
  readonly kind: InferenceErrorKind;
  /** After which the server asks to be asked again, in milliseconds; null where it does not say. */
  readonly retryAfterMs: number | null;

  constructor(
    kind: InferenceErrorKind,
    message: string,
    options?: ErrorOptions & { readonly retryAfterMs?: number | null },
  ) {
    super(message, options);
    this.name = 'InferenceError';
    this.kind = kind;
    this.retryAfterMs = options?.retryAfterMs ?? null;
  }
}

import type { Slots } from './slots.ts';

export interface TransferOptions {
  signal: AbortSignal;
  /** Requests at the same time; 4. */
  concurrency?: number | undefined;
  /** Requests at the same time, shared with other transfers; instead of `concurrency`. */
  slots?: Slots | undefined;
  /** Told of bytes that have arrived for good, each byte once. */
  onProgress?: ((bytes: number) => void) | undefined;
  /** When a request without any movement is given up, in milliseconds; a minute. */
  idleMs?: number | undefined;
  retry?: RetryLimits | undefined;
}

export interface RetryLimits {
  /** Failures in a row, without a byte between them, until the error is passed on. */
  tries: number;
  /** No other try begins this long after the first one began or the last byte got through, in milliseconds; no limit where absent. */
  withinMs?: number;
  /** Wait after the first failure in milliseconds; doubled each time, at most `maxMs`. */
  baseMs: number;
  maxMs: number;
}

export const transferDefaults = {
  concurrency: 4,
  idleMs: 60_000,
  retry: { tries: 6, withinMs: 90_000, baseMs: 200, maxMs: 5000 },
  /** Tries of bytes that do not have the hash that they should have. */
  damagedTries: 5,
} as const;

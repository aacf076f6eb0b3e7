import { setTimeout as delay } from 'node:timers/promises';

/**
 * Milliseconds to wait before try number `failures + 1`: `baseMs` after the first failure, doubled after each further one, at most `maxMs`.
 * 0 failures wait 0.
 */
export function backoffMs({ failures, baseMs, maxMs }: { failures: number; baseMs: number; maxMs: number }): number {
  if (failures <= 0) return 0;
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 50));
}

/** What a `Retry-After` asks for, in seconds or as a date, in milliseconds and at most `maxMs`; null where there is none that can be read. */
export function retryAfterMs(header: string | undefined, maxMs: number, now = Date.now()): number | null {
  if (header === undefined) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? null : Math.min(maxMs, Math.max(0, ms));
}

/** Resolves after `ms`, or at once when `signal` is aborted; it never rejects, and never keeps the process alive. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal, ref: false }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

import type { Progress } from '../../contracts/run.ts';

const MINUTE_MS = 60_000;

/**
 * How long a run will still hold its GPUs, in milliseconds: by what it says itself, else by its speed so far, else by `expected_minutes`; null where
 * nobody knows.
 */
export function remainingMs(progress: Progress | null, expectedMinutes: number | null): number | null {
  const measured = progress === null ? null : measuredMs(progress);
  return measured ?? (expectedMinutes === null ? null : expectedMinutes * MINUTE_MS);
}

function measuredMs({ eta_seconds, step, total_steps, elapsed_seconds }: Progress): number | null {
  if (eta_seconds !== null) return eta_seconds * 1000;
  return step > 0 && elapsed_seconds > 0 ? (elapsed_seconds / step) * Math.max(0, total_steps - step) * 1000 : null;
}

/** When a run that has held its GPUs since a time is expected to end. */
export function expectedEnd(
  { since, now }: { since: number; now: number },
  progress: Progress | null,
  expectedMinutes: number | null,
): number | null {
  const measured = progress === null ? null : measuredMs(progress);
  if (measured !== null) return now + measured;
  return expectedMinutes === null ? null : since + expectedMinutes * MINUTE_MS;
}

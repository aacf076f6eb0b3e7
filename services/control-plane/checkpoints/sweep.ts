import { type CheckpointId, checkpointPrefix } from './checkpoint-keys.ts';
import type { Survey } from './survey.ts';
import type { Unsettled } from './uploads.ts';

/** A set of files that no manifest makes a checkpoint, and why it goes now. */
export interface SweepVerdict {
  id: CheckpointId;
  why: string;
}

/** When an attempt was opened and ended, in milliseconds since the epoch. */
export interface AttemptSpan {
  opened_at: number;
  ended_at: number | null;
}

/**
 * Which files without a manifest go (pure). What is left of a deletion goes at once. Uploads of an attempt that is over go `graceMs` after its end: its
 * last requests may still be under way. Of an open attempt goes what was asked for longer ago than that and lies before its newest step.
 */
export function planSweep({
  survey,
  unsettled,
  attemptOf,
  now,
  graceMs,
}: {
  survey: Pick<Survey, 'committed' | 'loose'>;
  unsettled: readonly Unsettled[];
  attemptOf: (run: string, attempt: number) => AttemptSpan | undefined;
  now: number;
  graceMs: number;
}): SweepVerdict[] {
  const committed = new Set(survey.committed.map(checkpointPrefix));
  const noted = new Map(unsettled.map((each) => [checkpointPrefix(each), each]));
  const loose = new Map([...survey.loose, ...unsettled].map((id) => [checkpointPrefix(id), id]));
  const newest = new Map<number, number>();
  for (const { attempt, step } of [...survey.committed, ...loose.values()]) {
    newest.set(attempt, Math.max(step, newest.get(attempt) ?? 0));
  }
  const minutes = Math.round(graceMs / 60_000);

  return [...loose.entries()].flatMap(([prefix, { run, attempt, step }]): SweepVerdict[] => {
    const id = { run, attempt, step };
    if (committed.has(prefix)) return [];
    const since = noted.get(prefix)?.since;
    if (since === 0) return [{ id, why: 'its deletion was cut short' }];
    const span = attemptOf(run, attempt);
    if (span === undefined) return [{ id, why: 'its attempt is not known' }];
    if (span.ended_at !== null) {
      return now - span.ended_at >= graceMs ? [{ id, why: `its attempt ended ${minutes} minutes ago or more` }] : [];
    }
    if (step === newest.get(attempt) || now - (since ?? span.opened_at) < graceMs) return [];
    return [{ id, why: `it was begun ${minutes} minutes ago or more, and a later step was saved since` }];
  });
}

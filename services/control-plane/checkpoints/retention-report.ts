import type { Manifest } from '../../contracts/checkpoint.ts';
import type { RetentionReport } from '../../contracts/checkpoint-requests.ts';
import { type CheckpointId, isSameCheckpoint } from './checkpoint-keys.ts';
import { type CheckpointScope, sizeOf } from './checkpoint-view.ts';
import { resolveName } from './lineage.ts';
import type { RetentionPlan } from './retention.ts';

const NAMED = [
  ['latest', 'the latest one: a resume starts from it'],
  ['best', 'the best one'],
  ['final', 'the final one'],
] as const;

/** A retention plan as the API tells it, each verdict with the first rule that decides it (pure). */
export function reportRetention(
  { keep, remove }: RetentionPlan,
  sweep: readonly CheckpointId[],
  options: { scope: CheckpointScope; limit: number; pinned: readonly CheckpointId[]; inUse: readonly CheckpointId[] },
  dryRun: boolean,
): RetentionReport {
  const verdict = (why: (manifest: Manifest) => string) => (manifest: Manifest) => ({
    name: nameOf(manifest),
    size: sizeOf(manifest),
    why: why(manifest),
  });
  const { scope, limit, pinned, inUse } = options;
  const isIn = (ids: readonly CheckpointId[], manifest: Manifest) => ids.some((id) => isSameCheckpoint(id, manifest));
  return {
    dry_run: dryRun,
    keep: keep.map(
      verdict((manifest) => {
        if (isIn(pinned, manifest)) return 'pinned';
        const named = NAMED.find(([alias]) => resolveName(alias, scope) === manifest);
        if (named !== undefined) return named[1];
        if (isIn(inUse, manifest)) return 'a run starts from it';
        return `among the newest ${limit} (training.save_total_limit)`;
      }),
    ),
    remove: remove.map(verdict(() => `older than the newest ${limit} (training.save_total_limit)`)),
    sweep: sweep.map((id) => ({ name: nameOf(id), why: 'never became a checkpoint, and its attempt is over' })),
  };
}

function nameOf({ attempt, step }: Pick<CheckpointId, 'attempt' | 'step'>): string {
  return `a${attempt}/checkpoint-${step}`;
}

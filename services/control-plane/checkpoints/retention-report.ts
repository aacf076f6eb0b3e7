import type { RetentionReport } from '../../contracts/checkpoint-requests.ts';
import type { CheckpointId } from './checkpoint-keys.ts';
import { sizeOf } from './checkpoint-view.ts';
import type { PruneReport } from './keeping.ts';
import type { RetentionVerdict } from './retention.ts';

/** What retention does, or would do, as the API tells it (pure). */
export function reportRetention({ keep, remove, sweep }: PruneReport, dryRun: boolean): RetentionReport {
  return {
    dry_run: dryRun,
    keep: keep.map(toVerdict),
    remove: remove.map(toVerdict),
    sweep: sweep.map(({ id, why }) => ({ name: nameOf(id), why })),
  };
}

function toVerdict({ manifest, why }: RetentionVerdict): RetentionReport['keep'][number] {
  return { name: nameOf(manifest), size: sizeOf(manifest), why };
}

function nameOf({ attempt, step }: Pick<CheckpointId, 'attempt' | 'step'>): string {
  return `a${attempt}/checkpoint-${step}`;
}

import type { Logger } from '../../platform/logger.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { retentionRules } from '../checkpoints/retention.ts';
import { type NeededCheckpointOptions, neededCheckpoints } from './needed-checkpoints.ts';
import type { RunStore } from './run.store.ts';

export interface PruneQuietlyOptions {
  runs: NeededCheckpointOptions['runs'] & Pick<RunStore, 'get'>;
  checkpoints: Pick<CheckpointService, 'prune' | 'resolve'>;
  log: Logger;
}

/** Deletes what a run need not keep. Checkpoints that stay too long are no reason to call a commit failed, or an ended attempt unended. */
export async function pruneQuietly({ checkpoints, runs, log }: PruneQuietlyOptions, id: string): Promise<void> {
  const run = runs.get(id);
  if (run === undefined) return;
  try {
    const protect = neededCheckpoints(id, { runs, checkpoints });
    await checkpoints.prune(id, { rules: retentionRules(run.spec), protect });
  } catch (error) {
    log.error('Old checkpoints could not be deleted.', { run: id, error });
  }
}

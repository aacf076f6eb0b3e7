import { retentionRules } from '../checkpoints/retention.ts';
import type { ExecuteOptions } from './execute-options.ts';

/** Deletes what a run need not keep. Checkpoints that were kept too long are no reason to call an ended attempt unended. */
export async function pruneQuietly({ checkpoints, runs, log }: ExecuteOptions, id: string): Promise<void> {
  const run = runs.get(id);
  if (run === undefined) return;
  try {
    await checkpoints.prune(id, { rules: retentionRules(run.spec), protect: runs.startsFrom(id) });
  } catch (error) {
    log.error('Old checkpoints could not be deleted.', { run: id, error });
  }
}

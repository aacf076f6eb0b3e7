import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { endedStatuses } from '../../contracts/run.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { RunRow } from './run-row.ts';
import type { RunServiceOptions } from './run-service-options.ts';

/**
 * Deletes an ended run with its checkpoints, its records and what Tandem wrote into its tree. The row goes last, so that a deletion which was cut
 * off is completed by repeating it. Throws conflict for a run that has not ended, or that others need.
 */
export async function deleteRun(run: RunRow, options: RunServiceOptions): Promise<void> {
  const { runs, records, checkpoints, sinks, trackers, runFiles, trees, attempts, runtime, work } = options;
  requireDeletable(run, options);
  const live = attempts.liveRoles().some((role) => role.run === run.id);
  if (live)
    throw new ProblemError('conflict', `The last programs of ${run.id} are still ending; try again in a few seconds.`);
  // Nothing writes into its tree any more.
  runs.update(run.id, { files_due: 0 });
  await sinks.finish(run.id);
  await trackers.forget(run.id);
  await checkpoints.remove(run.id);
  await runFiles.remove(run.id);
  await records.remove(run.id);
  await trees.remove(run.tree, run.id);
  await rm(join(work, run.id), { recursive: true, force: true });
  await runtime.forgetOutput(run.id);
  requireDeletable(runs.get(run.id) ?? run, options);
  runs.remove(run.id);
}

function requireDeletable(run: RunRow, { runs, work }: RunServiceOptions): void {
  if (!endedStatuses.includes(run.status)) {
    throw new ProblemError('conflict', `${run.id} is ${run.status}; cancel it first (POST /runs/${run.id}/cancel).`);
  }
  const users = runs
    .dependants(run.id)
    .filter(({ kind, status, model_directory }) => {
      if (!endedStatuses.includes(status)) return true;
      if (kind === 'evaluation') return false;
      return kind === 'fork' || model_directory.startsWith(join(work, run.id, '/'));
    })
    .map(({ id }) => id);
  if (users.length === 0) return;
  throw new ProblemError(
    'conflict',
    `${run.id} is what ${users.join(', ')} started from; delete ${users.length > 1 ? 'them' : 'that one'} first.`,
  );
}

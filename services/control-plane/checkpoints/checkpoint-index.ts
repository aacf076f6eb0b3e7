import type { Manifest } from '../../contracts/checkpoint.ts';
import type { Database } from '../../platform/database.ts';
import type { CheckpointId } from './checkpoint-keys.ts';

export type CheckpointIndex = ReturnType<typeof createCheckpointIndex>;

/** The manifests as SQLite has them. */
export function createCheckpointIndex({ db }: { db: Database }) {
  const list = (run: string): Manifest[] =>
    db
      .all<{ manifest: string }>('SELECT manifest FROM checkpoints WHERE run = :run ORDER BY attempt, step', { run })
      .map(({ manifest }) => JSON.parse(manifest) as Manifest);
  return {
    list,
    has: ({ run, attempt, step }: CheckpointId): boolean =>
      db.get('SELECT 1 FROM checkpoints WHERE run = :run AND attempt = :attempt AND step = :step', {
        run,
        attempt,
        step,
      }) !== undefined,
    put: (manifest: Manifest): void => {
      const { run, attempt, step } = manifest;
      db.run('INSERT OR REPLACE INTO checkpoints VALUES (:run, :attempt, :step, :manifest)', {
        run,
        attempt,
        step,
        manifest: JSON.stringify(manifest),
      });
    },
    delete: ({ run, attempt, step }: CheckpointId): void => {
      db.run('DELETE FROM checkpoints WHERE run = :run AND attempt = :attempt AND step = :step', {
        run,
        attempt,
        step,
      });
    },
    deleteRun: (run: string): void => {
      db.run('DELETE FROM checkpoints WHERE run = :run', { run });
    },
  };
}

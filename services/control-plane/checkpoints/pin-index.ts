import type { Database } from '../../platform/database.ts';
import type { CheckpointId } from './checkpoint-keys.ts';

export type PinIndex = ReturnType<typeof createPinIndex>;

/** The pins as SQLite has them. */
export function createPinIndex({ db }: { db: Database }) {
  return {
    list: (run: string): CheckpointId[] =>
      db.all<CheckpointId>('SELECT run, attempt, step FROM checkpoint_pins WHERE run = :run ORDER BY attempt, step', {
        run,
      }),
    has: ({ run, attempt, step }: CheckpointId): boolean =>
      db.get('SELECT 1 FROM checkpoint_pins WHERE run = :run AND attempt = :attempt AND step = :step', {
        run,
        attempt,
        step,
      }) !== undefined,
    put: ({ run, attempt, step }: CheckpointId): void => {
      db.run('INSERT OR IGNORE INTO checkpoint_pins VALUES (:run, :attempt, :step)', { run, attempt, step });
    },
    delete: ({ run, attempt, step }: CheckpointId): void => {
      db.run('DELETE FROM checkpoint_pins WHERE run = :run AND attempt = :attempt AND step = :step', {
        run,
        attempt,
        step,
      });
    },
    deleteRun: (run: string): void => {
      db.run('DELETE FROM checkpoint_pins WHERE run = :run', { run });
    },
  };
}

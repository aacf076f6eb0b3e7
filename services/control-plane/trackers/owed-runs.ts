import type { RunSpec } from '../../contracts/run-spec.ts';
import type { Database } from '../../platform/database.ts';

/** Runs whose remote trackers do not have everything yet, across processes. */
export interface OwedRuns {
  add(run: string): void;
  remove(run: string): void;
  all(): string[];
}

export function createOwedRuns({ db }: { db: Database }): OwedRuns {
  return {
    add: (run) => void db.run('INSERT OR IGNORE INTO trackers_owed VALUES (:run)', { run }),
    remove: (run) => void db.run('DELETE FROM trackers_owed WHERE run = :run', { run }),
    all: () => db.all<{ run: string }>('SELECT run FROM trackers_owed ORDER BY run').map(({ run }) => run),
  };
}

/** Whether a run is shown by a tracker that talks to a server. */
export function wantsRemoteTracker({ monitoring }: Pick<RunSpec, 'monitoring'>): boolean {
  return monitoring.enable_wandb || monitoring.enable_mlflow;
}

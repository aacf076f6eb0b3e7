import type { ModelOrigin } from '../../contracts/model-origin.ts';
import type { RunStatus } from '../../contracts/run.ts';
import type { BindValue, Database, Params } from '../../platform/database.ts';
import type { ModelUse } from '../models/model-room.ts';
import { listRuns, type RunFilter } from './list-runs.ts';
import { SELECT_QUEUE_ROW, type StoredQueueRow, toQueueRow } from './queue-rows.ts';
import type { Dependant, DueModel, QueueRow, RunRow } from './run-row.ts';
import { parse, parsed, type StoredRun, toStored } from './stored-run.ts';

export interface RunStore {
  get(id: string): RunRow | undefined;
  byTree(tree: string): RunRow | undefined;
  /** Newest first. */
  list(filter: RunFilter): RunRow[];
  /** Runs that wait for a slot or for GPUs, as the queue needs them. */
  queued(): QueueRow[];
  /** Models that runs in the queue wait for. */
  modelsDue(): DueModel[];
  /** Directories that are the models of runs. */
  modelUses(): ModelUse[];
  /** What the queue has to know of one run, whatever its status. */
  queueRow(id: string): QueueRow | undefined;
  /** How many runs have each status; those that none has are absent. */
  countByStatus(): Map<RunStatus, number>;
  /** When the run was queued that waits longest, ms since the epoch; null where none waits. */
  longestQueued(): number | null;
  /** Runs that hold a slot or GPUs. */
  active(): RunRow[];
  /** The same, no more than which they are and what they run on. */
  underWay(): Pick<RunRow, 'id' | 'profile' | 'started_at'>[];
  /** Runs under way, or about to be restarted, whose tree is being written. */
  filesOpen(): RunRow[];
  /** Runs at rest whose tree does not show yet how they ended. */
  filesDue(): RunRow[];
  /** Checkpoints of this run that runs will start from, or are starting from. */
  startsFrom(id: string): { run: string; attempt: number; step: number }[];
  insert(run: RunRow): void;
  /** Changes a run; false when it no longer has the status that the change was decided for. */
  update(id: string, change: Partial<Omit<RunRow, 'id'>>, expected?: readonly RunStatus[]): boolean;
  /** No run that is being stopped gets less time than until then. */
  extendStopDeadlines(until: number): void;
  /** Runs that continue this one, train on its checkpoint or evaluate it. */
  dependants(id: string): Dependant[];
  remove(id: string): void;
}

export function createRunStore({ db }: { db: Database }): RunStore {
  const insert = (run: RunRow) => {
    const row = toStored(run);
    const columns = Object.keys(row);
    db.run(
      `INSERT INTO runs (${columns.join(', ')}) VALUES (${columns.map((column) => `:${column}`).join(', ')})`,
      row as unknown as Params,
    );
    putLabels(db, run);
  };

  const update: RunStore['update'] = (id, change, expected) => {
    const row = toStored(change);
    const guard = expected ? `AND status IN (${expected.map((status) => `'${status}'`).join(', ')})` : '';
    const { changes } = db.run(
      `UPDATE runs SET ${Object.keys(row)
        .map((column) => `${column} = :${column}`)
        .join(', ')} WHERE id = :id ${guard}`,
      { ...(row as Record<string, BindValue>), id },
    );
    if (changes === 1 && change.labels !== undefined) {
      db.run('DELETE FROM run_labels WHERE run = :id', { id });
      putLabels(db, parse(db.get<StoredRun>('SELECT * FROM runs WHERE id = :id', { id }) as StoredRun));
    }
    return changes === 1;
  };

  return {
    insert,
    update,
    get: (id) => parsed(db.get<StoredRun>('SELECT * FROM runs WHERE id = :id', { id })),
    byTree: (tree) => parsed(db.get<StoredRun>('SELECT * FROM runs WHERE tree = :tree', { tree })),
    list: (filter) => listRuns(db, filter),
    queued: () => db.all<StoredQueueRow>(`${SELECT_QUEUE_ROW} WHERE status = 'queued'`).map(toQueueRow),
    modelsDue: () =>
      db
        .all<{ run: string; directory: string; origin: string }>(
          `SELECT id AS run, model_directory AS directory, model_origin AS origin FROM runs INDEXED BY runs_model_due
           WHERE model_due = 1 AND status = 'queued' AND model_origin IS NOT NULL ORDER BY id`,
        )
        .map((row) => ({ ...row, origin: JSON.parse(row.origin) as ModelOrigin })),
    modelUses: () =>
      db
        .all<{ directory: string; needed: 0 | 1; usedAt: number }>(
          `SELECT model_directory AS directory, max(status NOT IN ('succeeded', 'failed', 'cancelled')) AS needed,
             max(max(queued_at, coalesce(ended_at, 0))) AS usedAt FROM runs GROUP BY model_directory`,
        )
        .map(({ directory, needed, usedAt }) => ({ directory, isNeeded: needed === 1, usedAt })),
    queueRow: (id) => {
      const row = db.get<StoredQueueRow>(`${SELECT_QUEUE_ROW} WHERE id = :id`, { id });
      return row && toQueueRow(row);
    },
    countByStatus: () =>
      new Map(
        db
          .all<{ status: RunStatus; count: number }>('SELECT status, count(*) AS count FROM runs GROUP BY status')
          .map(({ status, count }) => [status, count]),
      ),
    longestQueued: () =>
      db.get<{ at: number | null }>("SELECT min(queued_at) AS at FROM runs WHERE status = 'queued'")?.at ?? null,
    active: () =>
      db
        .all<StoredRun>(
          `SELECT * FROM runs WHERE status IN ('starting', 'running', 'stopping') ORDER BY created_at, id`,
        )
        .map(parse),
    underWay: () =>
      db.all<Pick<RunRow, 'id' | 'profile' | 'started_at'>>(
        `SELECT id, profile, started_at FROM runs WHERE status IN ('starting', 'running', 'stopping') ORDER BY created_at, id`,
      ),
    extendStopDeadlines: (until) => {
      db.run("UPDATE runs SET stop_deadline = max(stop_deadline, :until) WHERE status = 'stopping'", { until });
    },
    // Left to itself, SQLite goes through all runs at rest by their status, at every round.
    filesOpen: () =>
      db
        .all<StoredRun>(
          `SELECT * FROM runs INDEXED BY runs_files_due WHERE files_due = 1 AND status IN ('queued', 'starting', 'running', 'stopping') ORDER BY id`,
        )
        .map(parse),
    filesDue: () =>
      db
        .all<StoredRun>(
          `SELECT * FROM runs INDEXED BY runs_files_due WHERE files_due = 1 AND status IN ('paused', 'succeeded', 'failed', 'cancelled') ORDER BY id`,
        )
        .map(parse),
    startsFrom: (id) =>
      db.all<{ run: string; attempt: number; step: number }>(
        `SELECT :id AS run, start_from ->> '$.attempt' AS attempt, start_from ->> '$.step' AS step FROM runs
         WHERE status IN ('queued', 'paused') AND start_from ->> '$.kind' = 'checkpoint' AND start_from ->> '$.run' = :id
         UNION SELECT resumed_run, resumed_attempt, resumed_step FROM attempts
         WHERE ended_at IS NULL AND resumed_run = :id AND resumed_attempt IS NOT NULL AND resumed_step IS NOT NULL`,
        { id },
      ),
    dependants: (id) =>
      db.all<Dependant>(
        `SELECT id, status, model_directory, iif(spec ->> '$.task' = 'evaluate', 'evaluation', 'fork') AS kind FROM runs WHERE parent_run = :id
         UNION ALL SELECT id, status, model_directory, 'model' AS kind FROM runs WHERE model_run = :id`,
        { id },
      ),
    remove: (id) => {
      db.run('DELETE FROM runs WHERE id = :id', { id });
    },
  };
}

function putLabels(db: Database, run: Pick<RunRow, 'id' | 'labels' | 'created_at'>): void {
  for (const [key, value] of Object.entries(run.labels)) {
    db.run('INSERT INTO run_labels (key, value, created_at, run) VALUES (:key, :value, :created_at, :id)', {
      key,
      value,
      created_at: run.created_at,
      id: run.id,
    });
  }
}

import type { Reason } from '../../contracts/reason.ts';
import type { RunStatus } from '../../contracts/run.ts';
import { type Method, type RunSpec, runSpecSchema } from '../../contracts/run-spec.ts';
import type { BindValue, Database, Params } from '../../platform/database.ts';
import type { ModelOrigin } from '../models/model-files.ts';
import type { QueuedRun } from '../queue/schedule.ts';
import { hasServer } from './inference-of.ts';

/** Where the next attempt of a run starts. */
export type StartFrom =
  | { kind: 'beginning' }
  /** The newest checkpoint on the run's lineage; the beginning when there is none. */
  | { kind: 'latest' }
  | { kind: 'checkpoint'; run: string; attempt: number; step: number }
  | { kind: 'directory'; path: string };

/** A run as kept. Times are milliseconds since the epoch; paths are absolute except `output_dir`, which is as people know it. */
export interface RunRow {
  id: string;
  name: string | null;
  method: Method;
  status: RunStatus;
  reason: Reason;
  message: string;
  priority: number;
  labels: Record<string, string>;
  spec: RunSpec;
  warnings: string[];
  profile: string;
  output_dir: string;
  tree: string;
  model_directory: string;
  base_adapter_directory: string | null;
  /** The run whose checkpoint is the base model. */
  model_run: string | null;
  /** Where `model_directory` is fetched from; null for one that is not Tandem's to fetch. */
  model_origin: ModelOrigin | null;
  /** 1 while it has to be fetched before the run can start. */
  model_due: 0 | 1;
  train_data: string | null;
  val_data: string | null;
  /** Files that `function` rewards name, in their order. */
  reward_files: string[];
  parent_run: string | null;
  parent_attempt: number | null;
  parent_step: number | null;
  start_from: StartFrom;
  created_at: number;
  queued_at: number;
  started_at: number | null;
  ended_at: number | null;
  stop: 'pause' | 'cancel' | null;
  stop_deadline: number | null;
  restarts: number;
  error_restarts: number;
  restart_at: number | null;
  /** 1 from the start of an attempt until the files of its tree say how it ended. */
  files_due: 0 | 1;
}

/** What the queue has to know of a run. Times are milliseconds since the epoch. */
export interface QueueRow extends QueuedRun {
  name: string | null;
  profile: string;
  /** Whether an inference server is started with it. */
  serves: boolean;
  labels: Record<string, string>;
  startedAt: number | null;
  /** Whether it was asked to end. */
  stopping: boolean;
  /** As the spec has them. */
  tensorParallel: number | null;
  preemptible: boolean;
  expectedMinutes: number | null;
  /** The model that it waits for; null when that is there. */
  model: Pick<DueModel, 'directory' | 'origin'> | null;
}
/** A model that a run in the queue waits for. */
export interface DueModel {
  run: string;
  directory: string;
  origin: ModelOrigin;
}

type StoredQueueRow = Omit<QueueRow, 'labels' | 'preemptible' | 'stopping' | 'serves' | 'model'> & {
  labels: string;
  method: Method;
  inference: string;
  preemptible: 0 | 1;
  stopping: 0 | 1;
  modelDirectory: string | null;
  modelOrigin: string | null;
};

const jsonColumns = ['labels', 'spec', 'warnings', 'start_from', 'reward_files'] as const;
type Stored = Omit<RunRow, (typeof jsonColumns)[number] | 'model_origin'> &
  Record<(typeof jsonColumns)[number], string> & { model_origin: string | null };

export interface RunFilter {
  status?: RunStatus | undefined;
  method?: Method | undefined;
  label?: { key: string; value: string } | undefined;
  before?: { created_at: number; id: string } | undefined;
  limit: number;
}

/** A run that was made from another one. An evaluation needs it until it has ended, a fork for as long as it is there. */
export type Dependant = Pick<RunRow, 'id' | 'status' | 'model_directory'> & { kind: 'fork' | 'model' | 'evaluation' };

/** What a run that has not begun has of its life. */
export const notBegun = {
  started_at: null,
  ended_at: null,
  stop: null,
  stop_deadline: null,
  restarts: 0,
  error_restarts: 0,
  restart_at: null,
  files_due: 0,
} as const satisfies Partial<RunRow>;

export interface RunStore {
  get(id: string): RunRow | undefined;
  byTree(tree: string): RunRow | undefined;
  /** Newest first. */
  list(filter: RunFilter): RunRow[];
  /** Runs that wait for a slot or for GPUs, as the queue needs them. */
  queued(): QueueRow[];
  /** Models that runs in the queue wait for. */
  modelsDue(): DueModel[];
  /** The same of one run, whatever its status. */
  queueRow(id: string): QueueRow | undefined;
  /** Runs that hold a slot or GPUs. */
  active(): RunRow[];
  /** The same, no more than which they are and what they run on. */
  underWay(): Pick<RunRow, 'id' | 'profile'>[];
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

// Of thousands of runs that wait no spec is read in full, at every round.
const SELECT_QUEUE_ROW = `SELECT id, name, priority, queued_at AS queuedAt, restart_at AS restartAt, profile, method, labels, started_at AS startedAt,
  stop IS NOT NULL AS stopping, spec -> '$.inference' AS inference, spec ->> '$.inference.vllm.tensor_parallel_size' AS tensorParallel,
  coalesce(spec ->> '$.preemptible', 1) AS preemptible, spec ->> '$.expected_minutes' AS expectedMinutes,
  iif(model_due = 1, model_directory, NULL) AS modelDirectory, iif(model_due = 1, model_origin, NULL) AS modelOrigin FROM runs`;

function toQueueRow(row: StoredQueueRow): QueueRow {
  const { method, inference, modelDirectory, modelOrigin, ...rest } = row;
  const model =
    modelDirectory === null || modelOrigin === null
      ? null
      : { directory: modelDirectory, origin: JSON.parse(modelOrigin) as ModelOrigin };
  const labels = JSON.parse(row.labels) as Record<string, string>;
  const serves = hasServer({ method, inference: JSON.parse(inference) as RunSpec['inference'] });
  return { ...rest, model, serves, labels, preemptible: row.preemptible === 1, stopping: row.stopping === 1 };
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
      putLabels(db, parse(db.get<Stored>('SELECT * FROM runs WHERE id = :id', { id }) as Stored));
    }
    return changes === 1;
  };

  return {
    insert,
    update,
    get: (id) => parsed(db.get<Stored>('SELECT * FROM runs WHERE id = :id', { id })),
    byTree: (tree) => parsed(db.get<Stored>('SELECT * FROM runs WHERE tree = :tree', { tree })),
    list: (filter) => list(db, filter),
    queued: () => db.all<StoredQueueRow>(`${SELECT_QUEUE_ROW} WHERE status = 'queued'`).map(toQueueRow),
    modelsDue: () =>
      db
        .all<{ run: string; directory: string; origin: string }>(
          `SELECT id AS run, model_directory AS directory, model_origin AS origin FROM runs INDEXED BY runs_model_due
           WHERE model_due = 1 AND status = 'queued' AND model_origin IS NOT NULL ORDER BY id`,
        )
        .map((row) => ({ ...row, origin: JSON.parse(row.origin) as ModelOrigin })),
    queueRow: (id) => {
      const row = db.get<StoredQueueRow>(`${SELECT_QUEUE_ROW} WHERE id = :id`, { id });
      return row && toQueueRow(row);
    },
    active: () =>
      db
        .all<Stored>(`SELECT * FROM runs WHERE status IN ('starting', 'running', 'stopping') ORDER BY created_at, id`)
        .map(parse),
    underWay: () =>
      db.all<Pick<RunRow, 'id' | 'profile'>>(
        `SELECT id, profile FROM runs WHERE status IN ('starting', 'running', 'stopping') ORDER BY created_at, id`,
      ),
    extendStopDeadlines: (until) => {
      db.run("UPDATE runs SET stop_deadline = max(stop_deadline, :until) WHERE status = 'stopping'", { until });
    },
    // Left to itself, SQLite goes through all runs at rest by their status, at every round.
    filesOpen: () =>
      db
        .all<Stored>(
          `SELECT * FROM runs INDEXED BY runs_files_due WHERE files_due = 1 AND status IN ('queued', 'starting', 'running', 'stopping') ORDER BY id`,
        )
        .map(parse),
    filesDue: () =>
      db
        .all<Stored>(
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

function list(db: Database, filter: RunFilter): RunRow[] {
  const conditions: string[] = [];
  const params: Record<string, BindValue> = { limit: filter.limit };
  if (filter.status !== undefined) {
    conditions.push('runs.status = :status');
    params['status'] = filter.status;
  }
  if (filter.method !== undefined) {
    conditions.push('runs.method = :method');
    params['method'] = filter.method;
  }
  if (filter.before !== undefined) {
    const age = filter.label === undefined ? '(runs.created_at, runs.id)' : '(run_labels.created_at, run_labels.run)';
    conditions.push(`${age} < (:created_at, :id)`);
    params['created_at'] = filter.before.created_at;
    params['id'] = filter.before.id;
  }
  let source = 'runs';
  let order = 'runs.created_at DESC, runs.id DESC';
  if (filter.label !== undefined) {
    // The label's own index is walked in order, so that a page costs the same however many runs there are.
    source = 'run_labels CROSS JOIN runs ON runs.id = run_labels.run';
    order = 'run_labels.created_at DESC, run_labels.run DESC';
    conditions.push('run_labels.key = :key AND run_labels.value = :value');
    params['key'] = filter.label.key;
    params['value'] = filter.label.value;
  }
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  return db.all<Stored>(`SELECT runs.* FROM ${source} ${where} ORDER BY ${order} LIMIT :limit`, params).map(parse);
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

function toStored(run: Partial<RunRow>): Partial<Stored> {
  const stored: Record<string, unknown> = { ...run };
  for (const column of jsonColumns) {
    if (column in run) stored[column] = JSON.stringify(run[column]);
  }
  if (run.model_origin != null) stored['model_origin'] = JSON.stringify(run.model_origin);
  return stored as Partial<Stored>;
}

function parsed(row: Stored | undefined): RunRow | undefined {
  return row && parse(row);
}

function parse(row: Stored): RunRow {
  return {
    ...row,
    labels: JSON.parse(row.labels) as Record<string, string>,
    spec: specOf(row.spec),
    warnings: JSON.parse(row.warnings) as string[],
    start_from: JSON.parse(row.start_from) as StartFrom,
    reward_files: JSON.parse(row.reward_files) as string[],
    model_origin: row.model_origin === null ? null : (JSON.parse(row.model_origin) as ModelOrigin),
  };
}

/** Options that are newer than a stored spec get their defaults. One that this build cannot read is shown as it is. */
function specOf(json: string): RunSpec {
  const stored: unknown = JSON.parse(json);
  const known = runSpecSchema.safeParse(stored);
  return known.success ? known.data : (stored as RunSpec);
}

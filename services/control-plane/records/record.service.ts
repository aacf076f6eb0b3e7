import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evaluation } from '../../contracts/evaluation.ts';
import type { TrainerRecord } from '../../contracts/record.ts';
import type { AttemptEngine, Progress } from '../../contracts/run.ts';
import type { Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logger.ts';
import { createRedactor, type Redactor } from '../../platform/redaction.ts';
import { serialByKey } from '../../platform/serial-by-key.ts';
import { START } from './cursor.ts';
import { followRecords } from './follow-records.ts';
import { lastStep, latestValues, positionAt, queryMetrics, queryRows, stepAfterRecords } from './metric-query.ts';
import { feel, noPulse, type Pulse, type PulseState } from './pulse.ts';
import { createRecordIndex } from './record-index.ts';
import { noteResume, readResumePoints } from './record-lineage.ts';
import { readLogs, readPage } from './record-reader.ts';
import { createSubscriptions, type RecordListener } from './record-subscriptions.ts';
import type {
  Cursor,
  EvaluationEntry,
  LogLine,
  LogQuery,
  MetricQuery,
  MetricRow,
  Outcome,
  RecordBatch,
  RecordEntry,
  RecordFileView,
  RecordFilter,
  RecordPage,
  ResumePoint,
  RowQuery,
  Series,
} from './record-types.ts';
import { createRecordWriter } from './record-writer.ts';
import { readSpool } from './spool.ts';

/**
 * The records of every run: appended to `<directory>/<run>/a<attempt>.jsonl`, which is the truth, and indexed in SQLite, which can be rebuilt.
 */
export interface RecordService {
  /**
   * Stores records: appended, fsynced, indexed, then announced. Numbers already stored are skipped. Counts as a report (`touch`).
   * @returns the number of the last stored record
   * @throws RecordGapError when numbers are missing before or inside the batch; nothing of the batch is stored then
   */
  ingest(run: string, attempt: number, records: readonly TrainerRecord[]): Promise<number>;
  /** Number of the last stored record; 0 where there is none. */
  high(run: string, attempt: number): number;
  /** Stores the complete lines that a dead trainer's spool has beyond `high`; a missing spool is an empty one. Returns the new `high`. */
  drain(run: string, attempt: number, spoolPath: string): Promise<number>;
  /** Notes that the trainer has reported. */
  touch(run: string, attempt: number): void;
  /** When it last reported to this process, in ms since 1970; null when it has not. */
  lastReportAt(run: string, attempt: number): number | null;

  /** How fast an attempt moves, by the records that have arrived, stored or not: a full disk of ours is no hang of the trainer's. */
  pulse(run: string, attempt: number): Promise<Pulse>;

  /** What the trainer of an attempt computes on; null until it has said so. */
  engine(run: string, attempt: number): AttemptEngine | null;
  outcome(run: string, attempt: number): Outcome | null;
  progress(run: string): Progress | null;
  latestEvaluation(run: string): Evaluation | null;
  baseline(run: string): Evaluation | null;
  /** Evaluations on the clean axis, by step, the baseline first. */
  evaluations(run: string): Evaluation[];
  /** The same with the record each comes from. */
  evaluationEntries(run: string): EvaluationEntry[];
  /** The record of the newest evaluation, whether it counts or not; null before the first. It changes with each. */
  lastEvaluated(run: string): { attempt: number; n: number } | null;
  logs(query: LogQuery): Promise<LogLine[]>;
  metrics(query: MetricQuery): Promise<Series[]>;
  /** Rows on the clean axis. */
  rows(run: string, query: RowQuery): MetricRow[];
  /** Where a page of about `count` rows from a step on ends: the step of that metrics record, of whichever attempt; null where there are fewer. */
  stepAfterRecords(run: string, fromStep: number, count: number): number | null;
  /** The last step on the clean axis that has one of these metrics; -1 before the first. */
  lastStep(run: string, names: readonly string[]): number;
  /** The newest value on the clean axis of each of these metrics that has one; NaN and infinities are numbers here. */
  latestValues(run: string, names: readonly string[]): Record<string, number>;
  /** Epoch and samples at a step. */
  positionAt(run: string, step: number): { epoch: number; samples: number };

  /** What comes after a cursor, as one page. Use `START` for everything. */
  since(run: string, cursor: Cursor, options?: { filter?: RecordFilter; limit?: number }): Promise<RecordPage>;
  /** What comes after a cursor, stored and still to come, until `signal` is aborted; without loss or double. */
  follow(
    run: string,
    cursor: Cursor,
    options: { filter?: RecordFilter; signal: AbortSignal },
  ): AsyncGenerator<RecordEntry & { cursor: Cursor }>;
  /** After the last stored record of the run. */
  end(run: string): Cursor;
  /** How many records the run has, of all attempts. */
  count(run: string): number;
  /** The record files of the run, oldest attempt first, as far as they hold records now. */
  files(run: string): RecordFileView[];
  /** Calls `listener` after each stored batch. */
  subscribe(run: string, listener: RecordListener): () => void;

  /** Notes what an attempt resumes from; synchronous, to be called in the transaction that creates the attempt (or corrects it). */
  markSuperseded(run: string, point: ResumePoint): void;
  /** What was noted of each attempt of the run by `markSuperseded`. */
  resumePoints(run: string): ResumePoint[];
  /**
   * Reads what the files of these runs (default: all) hold beyond the index. At start: runs that may be written to before anything is served,
   * all others while it is, because each costs a look at its files. Ends early when `signal` is aborted.
   */
  recover(runs?: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Deletes the files and the index of a run. */
  remove(run: string): Promise<void>;
}

export interface RecordServiceOptions {
  db: Database;
  /** `<TANDEM_HOME>/records` */
  directory: string;
  now: () => number;
  log: Logger;
  /** Hides secrets before a record is stored; by default those that can be told by their looks. */
  redactor?: Redactor;
  /**
   * Called in the transaction that indexes a batch, once for each batch ever stored, after a crash too: what the control plane
   * concludes from records (run events, say) is written here, together with the index or not at all.
   */
  onIndexed?: (batch: RecordBatch) => void;
}

const PAGE = 1000;
/** Records that are read again to find the pulse of an attempt that an earlier control plane has listened to. */
const PULSE_RECORDS = 2000;

export function createRecordService({
  db,
  directory,
  now,
  log,
  redactor = createRedactor({}),
  onIndexed,
}: RecordServiceOptions): RecordService {
  const index = createRecordIndex({ db });
  const subscriptions = createSubscriptions({ log });
  const serial = serialByKey();
  const reports = new Map<string, number>();
  const pulses = new Map<string, PulseState>();
  const pathOf = (run: string, attempt: number) => join(directory, run, `a${attempt}.jsonl`);
  const reader = { index, pathOf };
  const writer = createRecordWriter({ db, index, pathOf, log, redactor, onIndexed, onStored: subscriptions.notify });
  const keyOf = (run: string, attempt: number) => `${run}/a${attempt}`;

  const service: RecordService = {
    ingest: async (run, attempt, records) => {
      service.touch(run, attempt);
      if (records.length === 0) return service.high(run, attempt);
      const pulse = pulses.get(keyOf(run, attempt));
      if (pulse !== undefined) pulses.set(keyOf(run, attempt), feel(pulse, records));
      return serial(keyOf(run, attempt), () => writer.append(run, attempt, records));
    },
    high: (run, attempt) => index.position(run, attempt).high,
    drain: async (run, attempt, spoolPath) => {
      for await (const batch of readSpool(spoolPath, { after: service.high(run, attempt), log })) {
        await serial(keyOf(run, attempt), () => writer.append(run, attempt, batch));
      }
      return service.high(run, attempt);
    },
    touch: (run, attempt) => void reports.set(keyOf(run, attempt), now()),
    lastReportAt: (run, attempt) => reports.get(keyOf(run, attempt)) ?? null,
    pulse: async (run, attempt) => {
      const key = keyOf(run, attempt);
      let state = pulses.get(key);
      if (state === undefined) {
        const from = { attempt, n: Math.max(0, service.high(run, attempt) - PULSE_RECORDS) };
        const filter = { attempt, kinds: ['metrics', 'progress', 'evaluation', 'event'] } as const;
        const { entries } = await readPage(reader, run, from, { filter, limit: PULSE_RECORDS });
        const stored = entries.map(({ record }) => record);
        state = feel(pulses.get(key) ?? noPulse, stored);
        pulses.set(key, state);
      }
      return state.pulse;
    },

    engine: index.engine,
    outcome: index.outcome,
    progress: index.progress,
    latestEvaluation: index.latestEvaluation,
    baseline: index.baseline,
    evaluations: (run) => index.evaluations(run).map(({ evaluation }) => evaluation),
    evaluationEntries: index.evaluations,
    lastEvaluated: index.lastEvaluated,
    logs: (query) => readLogs(reader, query),
    metrics: (query) => queryMetrics(db, query),
    rows: (run, query) => queryRows(db, { run, ...query }),
    stepAfterRecords: (run, fromStep, count) => stepAfterRecords(db, run, fromStep, count),
    lastStep: (run, names) => lastStep(db, run, names),
    latestValues: (run, names) => latestValues(db, run, names),
    positionAt: (run, step) => positionAt(db, run, step),

    since: (run, cursor, { filter = {}, limit = PAGE } = {}) => readPage(reader, run, cursor, { filter, limit }),
    follow: (run, cursor, { filter = {}, signal }) =>
      followRecords(cursor, {
        read: (at, limit) => readPage(reader, run, at, { filter, limit }),
        subscribe: (listener) => subscriptions.subscribe(run, listener),
        signal,
      }),
    end: (run) => {
      const last = index.positions(run).at(-1);
      return last === undefined ? START : { attempt: last.attempt, n: last.high, offset: last.size };
    },
    count: (run) => index.positions(run).reduce((sum, { high }) => sum + high, 0),
    files: (run) => index.positions(run).map((file) => ({ ...file, path: pathOf(run, file.attempt) })),
    subscribe: subscriptions.subscribe,

    markSuperseded: (run, point) => noteResume(db, run, point),
    resumePoints: (run) => readResumePoints(db, run),
    recover: async (runs, signal) => {
      for (const run of runs ?? (await namesIn(directory))) {
        if (signal?.aborted) return;
        for (const attempt of await attemptsIn(join(directory, run))) {
          await serial(keyOf(run, attempt), () => writer.catchUp(run, attempt));
        }
      }
    },
    remove: async (run) => {
      for (const attempt of await attemptsIn(join(directory, run))) {
        reports.delete(keyOf(run, attempt));
        pulses.delete(keyOf(run, attempt));
      }
      await rm(join(directory, run), { recursive: true, force: true });
      db.transaction(() => index.remove(run));
    },
  };
  return service;
}

async function attemptsIn(directory: string): Promise<number[]> {
  return (await namesIn(directory))
    .map((name) => /^a(\d+)\.jsonl$/.exec(name)?.[1])
    .filter((number) => number !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
}

import type { Evaluation } from '../../contracts/evaluation.ts';
import { type EventRecord, limits, type MetricsRecord, type TrainerRecord } from '../../contracts/record.ts';
import type { AttemptEngine, Progress } from '../../contracts/run.ts';
import type { Database } from '../../platform/database.ts';
import { maskOf } from './record-mask.ts';
import type { EvaluationEntry, Outcome } from './record-types.ts';

/** A record and where its line ends in the file, in bytes. */
export interface IndexedRecord {
  record: TrainerRecord;
  end: number;
}

export interface FilePosition {
  attempt: number;
  high: number;
  size: number;
}

/** A stretch of a record file: from record `first` at byte `start` up to byte `end`. */
export interface Block {
  first: number;
  start: number;
  end: number;
  mask: number;
}

/** A new row of `record_blocks` for each so many bytes of a file. */
export const BLOCK_BYTES = 1 << 18;

export type RecordIndex = ReturnType<typeof createRecordIndex>;

/** What SQLite remembers of the record files. Every method is synchronous; `add` runs in the caller's transaction. */
export function createRecordIndex({ db, blockBytes = BLOCK_BYTES }: { db: Database; blockBytes?: number }) {
  const position = (run: string, attempt: number): FilePosition =>
    db.get<FilePosition>('SELECT attempt, high, size FROM record_files WHERE run = :run AND attempt = :attempt', {
      run,
      attempt,
    }) ?? { attempt, high: 0, size: 0 };

  return {
    position,

    /** Every attempt with records, oldest first. */
    positions: (run: string): FilePosition[] =>
      db.all('SELECT attempt, high, size FROM record_files WHERE run = :run ORDER BY attempt', { run }),

    /** Takes in records that follow what is indexed. */
    add(run: string, attempt: number, batch: readonly IndexedRecord[]): void {
      const last = batch.at(-1);
      if (last === undefined) return;
      addBlocks(db, { run, attempt, batch, size: position(run, attempt).size, blockBytes });
      for (const { record } of batch) {
        if (record.kind === 'metrics') addMetrics(db, run, attempt, record);
        if (record.kind === 'evaluation') {
          db.run('INSERT INTO record_evaluations VALUES (:run, :attempt, :n, :step, :time, :body)', {
            run,
            attempt,
            n: record.n,
            step: record.evaluation.step,
            time: record.time,
            body: JSON.stringify(record.evaluation),
          });
        }
        if (record.kind === 'event') {
          db.run('INSERT INTO record_events VALUES (:run, :attempt, :n, :name, :body)', {
            run,
            attempt,
            n: record.n,
            name: record.name,
            body: JSON.stringify(record),
          });
        }
      }
      db.run(
        `INSERT INTO record_files VALUES (:run, :attempt, :high, :size, :progress)
         ON CONFLICT DO UPDATE SET high = :high, size = :size, progress = coalesce(:progress, progress)`,
        { run, attempt, high: last.record.n, size: last.end, progress: lastProgress(batch) },
      );
    },

    /** The blocks of a file, from the one that holds record `from` on. */
    blocks(run: string, attempt: number, from = 1): Block[] {
      const { size } = position(run, attempt);
      const rows = db.all<Omit<Block, 'end'>>(
        `SELECT first, start, mask FROM record_blocks WHERE run = :run AND attempt = :attempt AND first >= (
           SELECT coalesce(max(first), 1) FROM record_blocks WHERE run = :run AND attempt = :attempt AND first <= :from
         ) ORDER BY first`,
        { run, attempt, from },
      );
      return rows.map((row, index) => ({ ...row, end: rows[index + 1]?.start ?? size }));
    },

    progress(run: string): Progress | null {
      const row = db.get<{ progress: string }>(
        'SELECT progress FROM record_files WHERE run = :run AND progress IS NOT NULL ORDER BY attempt DESC LIMIT 1',
        { run },
      );
      return row === undefined
        ? null
        : {
            evaluated: null,
            rollouts: null,
            ...(JSON.parse(row.progress) as Omit<Progress, 'evaluated' | 'rollouts'>),
          };
    },

    /** What the trainer of an attempt computes on, as the first event says. */
    engine(run: string, attempt: number): AttemptEngine | null {
      const row = db.get<{ body: string }>(
        "SELECT body FROM record_events WHERE run = :run AND attempt = :attempt AND name = 'started' ORDER BY n LIMIT 1",
        { run, attempt },
      );
      return row === undefined ? null : engineOf(JSON.parse(row.body) as EventRecord);
    },

    outcome(run: string, attempt: number): Outcome | null {
      const row = db.get<{ body: string }>(
        `SELECT body FROM record_events WHERE run = :run AND attempt = :attempt AND name IN ('finished', 'failed')
         ORDER BY n DESC LIMIT 1`,
        { run, attempt },
      );
      return row === undefined ? null : outcomeOf(JSON.parse(row.body) as EventRecord);
    },

    /** The newest evaluation that counts; the baseline before any other. */
    latestEvaluation(run: string): Evaluation | null {
      return newestEvaluation(db, run, 'e.step >= 0 AND e.n <= l.up_to') ?? newestEvaluation(db, run, 'e.step = -1');
    },

    /** The baseline: it counts whatever was resumed. */
    baseline(run: string): Evaluation | null {
      return newestEvaluation(db, run, 'e.step = -1');
    },

    /** The record of the newest evaluation, whether it counts or not; null before the first. */
    lastEvaluated(run: string): { attempt: number; n: number } | null {
      return (
        db.get<{ attempt: number; n: number }>(
          'SELECT attempt, n FROM record_evaluations WHERE run = :run ORDER BY attempt DESC, n DESC LIMIT 1',
          { run },
        ) ?? null
      );
    },

    /** Evaluations that count, by step; of several at one step the newest. The baseline counts whatever was resumed. */
    evaluations(run: string): EvaluationEntry[] {
      const rows = db.all<{ attempt: number; n: number; time: string; step: number; body: string }>(
        `SELECT e.attempt, e.n, e.time, e.step, e.body FROM record_evaluations e
         LEFT JOIN record_lineage l ON l.run = e.run AND l.attempt = e.attempt
         WHERE e.run = :run AND (e.step = -1 OR e.n <= l.up_to) ORDER BY e.step, e.attempt, e.n`,
        { run },
      );
      return rows
        .filter((row, index) => rows[index + 1]?.step !== row.step)
        .map(({ body, attempt, n, time }) => ({ attempt, n, time, evaluation: JSON.parse(body) as Evaluation }));
    },

    /** Forgets an attempt's file (its lineage stays), so that it is read again from the start. */
    forget(run: string, attempt: number): void {
      const key = { run, attempt };
      db.run(
        `DELETE FROM metric_points WHERE attempt = :attempt AND series IN (SELECT id FROM metric_series WHERE run = :run)`,
        key,
      );
      for (const table of ['record_files', 'record_blocks', 'metric_steps', 'record_evaluations', 'record_events']) {
        db.run(`DELETE FROM ${table} WHERE run = :run AND attempt = :attempt`, key);
      }
    },

    /** Forgets everything of a run. */
    remove(run: string): void {
      db.run('DELETE FROM metric_points WHERE series IN (SELECT id FROM metric_series WHERE run = :run)', { run });
      const tables = ['record_files', 'record_blocks', 'record_lineage', 'metric_series', 'metric_steps'];
      for (const table of [...tables, 'record_evaluations', 'record_events']) {
        db.run(`DELETE FROM ${table} WHERE run = :run`, { run });
      }
    },
  };
}

function newestEvaluation(db: Database, run: string, condition: string): Evaluation | null {
  const row = db.get<{ body: string }>(
    `SELECT e.body AS body FROM record_evaluations e LEFT JOIN record_lineage l ON l.run = e.run AND l.attempt = e.attempt
     WHERE e.run = :run AND ${condition} ORDER BY e.attempt DESC, e.n DESC LIMIT 1`,
    { run },
  );
  return row === undefined ? null : (JSON.parse(row.body) as Evaluation);
}

function addBlocks(
  db: Database,
  {
    run,
    attempt,
    batch,
    size,
    blockBytes,
  }: { run: string; attempt: number; batch: readonly IndexedRecord[]; size: number; blockBytes: number },
): void {
  let block = db.get<{ first: number; start: number; mask: number }>(
    'SELECT first, start, mask FROM record_blocks WHERE run = :run AND attempt = :attempt ORDER BY first DESC LIMIT 1',
    { run, attempt },
  );
  const store = () => {
    if (block === undefined) return;
    db.run(
      `INSERT INTO record_blocks VALUES (:run, :attempt, :first, :start, :mask) ON CONFLICT DO UPDATE SET mask = :mask`,
      { run, attempt, ...block },
    );
  };
  let at = size;
  for (const { record, end } of batch) {
    if (block === undefined || at - block.start >= blockBytes) {
      store();
      block = { first: record.n, start: at, mask: 0 };
    }
    block.mask |= maskOf(record);
    at = end;
  }
  store();
}

function addMetrics(db: Database, run: string, attempt: number, record: MetricsRecord): void {
  const { n, step, epoch, samples } = record;
  db.run('INSERT INTO metric_steps VALUES (:run, :step, :attempt, :n, :epoch, :samples)', {
    run,
    step,
    attempt,
    n,
    epoch,
    samples,
  });
  for (const [name, written] of Object.entries(record.values)) {
    const value = Number(written);
    db.run('INSERT INTO metric_points VALUES (:series, :step, :attempt, :n, :value)', {
      series: seriesId(db, run, name),
      step,
      attempt,
      n,
      value: Number.isNaN(value) ? null : value,
    });
  }
}

function seriesId(db: Database, run: string, name: string): number {
  const find = () =>
    db.get<{ id: number }>('SELECT id FROM metric_series WHERE run = :run AND name = :name', { run, name })?.id;
  const known = find();
  if (known !== undefined) return known;
  db.run('INSERT INTO metric_series (run, name) VALUES (:run, :name)', { run, name });
  return find() as number;
}

function lastProgress(batch: readonly IndexedRecord[]): string | null {
  const last = batch.findLast(({ record }) => record.kind === 'progress')?.record;
  if (last?.kind !== 'progress') return null;
  const { phase, step, total_steps, epoch, elapsed_seconds, eta_seconds, evaluated = null, rollouts = null } = last;
  return JSON.stringify({ phase, step, total_steps, epoch, elapsed_seconds, eta_seconds, evaluated, rollouts });
}

/** Data of events are the trainer's own: another one may say something else under these names. */
function engineOf({ data = {} }: EventRecord): AttemptEngine | null {
  const said = (name: string) => {
    const value = data[name];
    return typeof value === 'string' ? value.slice(0, limits.remedy) : null;
  };
  const name = said('engine');
  return name === null ? null : { name, version: said('engine_version'), reason: said('engine_reason') };
}

function outcomeOf(event: EventRecord): Outcome {
  return {
    name: event.name as Outcome['name'],
    reason: event.reason ?? null,
    message: event.message,
    remedy: event.remedy ?? null,
    data: event.data ?? {},
  };
}

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainerRecord } from '../../../services/contracts/record.ts';
import { resolveRunSpec } from '../../../services/contracts/resolve-run-spec.ts';
import type { RunStatus } from '../../../services/contracts/run.ts';
import { createAttemptStore } from '../../../services/control-plane/attempts/attempt.store.ts';
import { createEventStore } from '../../../services/control-plane/events/event.store.ts';
import { createRecordIndex } from '../../../services/control-plane/records/record-index.ts';
import { noteResume } from '../../../services/control-plane/records/record-lineage.ts';
import { createRunStore } from '../../../services/control-plane/runs/run.store.ts';
import { encodeCursor } from '../../../services/control-plane/runs/run-page.ts';
import type { RunRow } from '../../../services/control-plane/runs/run-row.ts';
import { migrations } from '../../../services/control-plane/schema.ts';
import { openDatabase } from '../../../services/platform/database.ts';

const FIRST = Date.UTC(2026, 0, 1);
const RUNS_PER_TRANSACTION = 2000;
/** Of ten runs six have succeeded, three failed, one is paused. */
const STATUSES: readonly RunStatus[] = [
  ...(['succeeded', 'failed', 'succeeded', 'failed', 'succeeded'] as const),
  ...(['succeeded', 'failed', 'succeeded', 'paused', 'succeeded'] as const),
];

export interface SeededHome {
  readonly runs: number;
  /** The run whose metrics are asked for, in the middle of the list; it has `watchedSteps` steps. */
  readonly watched: string;
}

/**
 * Writes the TANDEM_HOME of a control plane that has had `runs` runs, through its own stores: rows, labels, attempts, events, record
 * files and their index. Every run has four steps of two metrics and one evaluation, the watched one 1,000 steps of eight.
 */
export function seedHome(home: string, runs: number): SeededHome {
  mkdirSync(join(home, 'records'), { recursive: true });
  const db = openDatabase({ path: join(home, 'tandem.db'), migrations });
  let time = FIRST;
  const store = createRunStore({ db });
  const attempts = createAttemptStore({ db });
  const events = createEventStore({ db, now: () => time });
  const index = createRecordIndex({ db });
  const template = makeTemplate();
  const watched = Math.floor(runs / 2);

  const seed = (at: number): void => {
    time = FIRST + at * 1000;
    const id = runId(at);
    store.insert(makeRun(template, at, time));
    attempts.insert({ run: id, number: 1, opened_at: time, ...noResume });
    attempts.update(id, 1, {
      started_at: time,
      ended_at: time + 60_000,
      reason: 'completed',
      message: 'All steps done.',
    });
    attempts.putRole({ ...endedTrainer, run: id, started_at: time, exited_at: time + 60_000 });
    const note = { run: id, actor: 'control_plane', message: 'All steps done.' } as const;
    events.append({ ...note, name: 'status_changed', status: STATUSES[at % STATUSES.length]!, reason: 'completed' });
    noteResume(db, id, { attempt: 1, resumedFromAttempt: null, record: 0, step: null });
    const records = makeRecords(at === watched ? { steps: 1000, metrics: 8 } : { steps: 4, metrics: 2 });
    const lines = records.map((record) => `${JSON.stringify(record)}\n`);
    mkdirSync(join(home, 'records', id));
    writeFileSync(join(home, 'records', id, 'a1.jsonl'), lines.join(''));
    let end = 0;
    index.add(
      id,
      1,
      records.map((record, i) => {
        end += Buffer.byteLength(lines[i]!);
        return { record, end };
      }),
    );
  };

  for (let from = 0; from < runs; from += RUNS_PER_TRANSACTION) {
    db.transaction(() => {
      for (let at = from; at < Math.min(runs, from + RUNS_PER_TRANSACTION); at++) seed(at);
    });
  }
  db.close();
  return { runs, watched: runId(watched) };
}

/** Of the page that begins with the run before the `at`-th. */
export function cursorBefore(at: number): string {
  return encodeCursor({ created_at: FIRST + at * 1000, id: runId(at) });
}

const endedTrainer = {
  ...({ attempt: 1, role: 'trainer', start: 1, state: 'exited' } as const),
  ...{ exit_code: 0, pid: 4242, term_at: null, kill_at: null },
};

const noResume = { resumed_from: null, resumed_run: null, resumed_attempt: null, resumed_step: null };

function runId(at: number): string {
  return `run-${at.toString(36).padStart(8, '0')}`;
}

function makeTemplate(): Omit<RunRow, 'id' | 'created_at' | 'queued_at' | 'status' | 'labels' | 'output_dir' | 'tree'> {
  const resolved = resolveRunSpec({ method: 'sft', model: { name: 'model' }, data: { train_data: 'train.jsonl' } });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return {
    name: 'seeded',
    method: 'sft',
    reason: 'completed',
    message: 'All steps done.',
    priority: 50,
    spec: resolved.spec,
    warnings: [],
    profile: 'cpu',
    model_directory: '/models/seeded',
    base_adapter_directory: null,
    model_run: null,
    model_origin: null,
    model_due: 0,
    train_data: '/data/train.jsonl',
    val_data: null,
    reward_files: [],
    parent_run: null,
    parent_attempt: null,
    parent_step: null,
    start_from: { kind: 'beginning' },
    started_at: FIRST,
    ended_at: FIRST,
    stop: null,
    stop_deadline: null,
    restarts: 0,
    error_restarts: 0,
    restart_at: null,
    files_due: 0,
  };
}

function makeRun(template: ReturnType<typeof makeTemplate>, at: number, time: number): RunRow {
  return {
    ...template,
    id: runId(at),
    status: STATUSES[at % STATUSES.length]!,
    // Every second run is of team 0, every fourth of team 1, and so on: filters with many and with few matches.
    labels: { team: `${Math.clz32((at + 1) & -(at + 1)) ^ 31}`, project: `${at % 7}` },
    output_dir: `outputs/${runId(at)}`,
    tree: `/outputs/${runId(at)}`,
    created_at: time,
    queued_at: time,
  };
}

function makeRecords({ steps, metrics }: { steps: number; metrics: number }): TrainerRecord[] {
  const records: TrainerRecord[] = [];
  const next = () => ({ n: records.length + 1, time: new Date(FIRST).toISOString() });
  for (let step = 1; step <= steps; step++) {
    const values = Object.fromEntries(Array.from({ length: metrics }, (_, i) => [`train/metric_${i}`, step / (i + 1)]));
    records.push({ ...next(), kind: 'metrics', step, epoch: step / 100, samples: step * 8, values });
  }
  const progress = { phase: 'training', step: steps, total_steps: steps, epoch: 1, elapsed_seconds: 9 } as const;
  records.push({ ...next(), kind: 'progress', ...progress, eta_seconds: 0 });
  const rewards = { avg_reward: 0.5, median_reward: 0.5, std_reward: 0, min_reward: 0, max_reward: 1 };
  const counts = { step: steps, is_baseline: false, accuracy: 0.5, correct_answers: 1, total_samples: 2, eval_time: 1 };
  records.push({ ...next(), kind: 'evaluation', evaluation: { ...counts, ...rewards } });
  return records;
}

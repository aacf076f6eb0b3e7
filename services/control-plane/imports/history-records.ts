import type { Evaluation } from '../../contracts/evaluation.ts';
import { metricValueSchema, type TrainerRecord } from '../../contracts/record.ts';
import { type FolderHistory, toEvaluation } from './read-history.ts';

type Json = Record<string, unknown>;
type Values = Extract<TrainerRecord, { kind: 'metrics' }>['values'];

/** Names of the training log's keys among recorded metrics. */
const TRAIN: Readonly<Record<string, readonly string[]>> = {
  lr: ['train/learning_rate'],
  reward: ['train/avg_reward', 'train/reward'],
};
const VALIDATION: Readonly<Record<string, readonly string[]>> = {
  val_reward: ['val_reward', 'eval/avg_reward', 'eval/reward'],
  val_loss: ['val_loss', 'eval_loss', 'eval/loss'],
  val_accuracy: ['val_accuracy', 'eval/accuracy'],
  eval_loss: ['eval_loss', 'eval/loss'],
};
const COUNTERS = new Set(['step', 'epoch', 'samples', 'total_flos']);

interface StepRow {
  epoch: number | null;
  samples: number | null;
  values: Values;
  evaluation: Evaluation | null;
}

/** The folder's logs as the records of an attempt, and what they are of. */
export interface ImportedRecords {
  readonly records: readonly TrainerRecord[];
  /** The last record up to a step; 0 before the first. */
  readonly lastUpTo: (step: number) => number;
  /** How many rows of each kind were taken over. */
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * Makes records of the rows that the files hold, in order of their steps: one of metrics for each step, evaluations behind them, the baseline first, and
 * where training stood at the end. A step that several files know gets the values of all; where they differ the finer one counts (backups of a tracker,
 * then `training_log.json`, then `log_history`). Pure.
 */
export function historyRecords({
  history,
  logHistory,
  time,
  progress,
}: {
  history: FolderHistory;
  /** Of the newest `trainer_state.json`. */
  logHistory: readonly Json[];
  /** ISO 8601, for records whose time no file tells. */
  time: string;
  progress: Omit<Extract<TrainerRecord, { kind: 'progress' }>, 'n' | 'time' | 'kind'> | null;
}): ImportedRecords {
  const steps = new Map<number, StepRow>();
  const counts: Record<string, number> = {};
  const at = (row: Json): StepRow | null => {
    const step = row['step'];
    if (typeof step !== 'number' || !Number.isSafeInteger(step) || step < 0) return null;
    const found = steps.get(step) ?? { epoch: null, samples: null, values: {}, evaluation: null };
    found.epoch = positive(row['epoch']) ?? found.epoch;
    found.samples = whole(row['samples']) ?? found.samples;
    steps.set(step, found);
    return found;
  };
  const add = (kind: string, row: Json, values: Values): StepRow | null => {
    const into = at(row);
    if (into === null) return null;
    Object.assign(into.values, values);
    counts[kind] = (counts[kind] ?? 0) + 1;
    return into;
  };

  for (const row of logHistory) {
    const isEvaluation = Object.keys(row).some((key) => key.startsWith('eval_'));
    const into = add('log_history', row, isEvaluation ? evaluationValues(row) : trainValues(row));
    if (into !== null && isEvaluation) into.evaluation = evaluationOf(row);
  }
  for (const row of history.trainHistory) add('train_history', row, trainValues(row));
  for (const row of history.valHistory) {
    const into = add('val_history', row, evaluationValues(row));
    if (into !== null) into.evaluation = evaluationOf(row);
  }
  for (const { step, values } of history.backups) add('wandb_backup', { ...values, step }, named(values));
  for (const evaluation of history.evaluations.filter(({ is_baseline }) => !is_baseline)) {
    const into = add('evaluations', { step: evaluation.step }, rewardValues(evaluation));
    if (into !== null) into.evaluation = evaluation;
  }
  const baseline = history.evaluations.find(({ is_baseline }) => is_baseline);
  if (baseline !== undefined) counts['baseline'] = 1;
  return { ...number({ steps, baseline, time, progress }), counts };
}

function number({
  steps,
  baseline,
  time,
  progress,
}: {
  steps: ReadonlyMap<number, StepRow>;
  baseline: Evaluation | undefined;
  time: string;
  progress: Parameters<typeof historyRecords>[0]['progress'];
}): Pick<ImportedRecords, 'records' | 'lastUpTo'> {
  const records: TrainerRecord[] = [];
  const next = () => ({ n: records.length + 1, time });
  if (baseline !== undefined) records.push({ ...next(), kind: 'evaluation', evaluation: { ...baseline, step: -1 } });
  const ends: [step: number, n: number][] = [[-1, records.length]];
  let [epoch, samples] = [0, 0];
  for (const [step, row] of [...steps].sort(([a], [b]) => a - b)) {
    epoch = row.epoch ?? epoch;
    samples = row.samples ?? samples;
    if (Object.keys(row.values).length > 0)
      records.push({ ...next(), kind: 'metrics', step, epoch, samples, values: row.values });
    if (row.evaluation !== null) records.push({ ...next(), kind: 'evaluation', evaluation: row.evaluation });
    ends.push([step, records.length]);
  }
  if (progress !== null) records.push({ ...next(), kind: 'progress', ...progress });
  return { records, lastUpTo: (step) => ends.findLast(([each]) => each <= step)?.[1] ?? 0 };
}

function trainValues(row: Json): Values {
  return valuesOf(
    row,
    (key) => TRAIN[key] ?? [key.includes('/') && !key.startsWith('rewards/') ? key : `train/${key}`],
  );
}

function evaluationValues(row: Json): Values {
  return valuesOf(row, (key) => VALIDATION[key] ?? [key.replace(/^eval_/, 'eval/')]);
}

function named(row: Json): Values {
  return valuesOf(row, (key) => (key.startsWith('_') ? [] : [key]));
}

function valuesOf(row: Json, names: (key: string) => readonly string[]): Values {
  const values: Values = {};
  for (const [key, written] of Object.entries(row)) {
    const value = metricValueSchema.safeParse(written);
    if (COUNTERS.has(key) || key.length > 200 || !value.success) continue;
    for (const name of names(key)) values[name] = value.data;
  }
  return values;
}

/** What a row of validation tells of an evaluation. Without an `eval_logs/` file the rest is not known: `total_samples` 0 says so. */
function evaluationOf(row: Json): Evaluation | null {
  const fields = {
    accuracy: row['val_accuracy'] ?? row['eval_accuracy'],
    avg_reward: row['val_reward'] ?? row['eval_reward'],
    eval_loss: row['eval_loss'] ?? row['val_loss'],
    reward_margin: row['val_reward_margin'],
  };
  const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => typeof value === 'number'));
  return toEvaluation({ ...known, eval_time: positive(row['eval_runtime']) ?? 0 }, row['step'] as number) ?? null;
}

function rewardValues({ accuracy, avg_reward, median_reward, std_reward, eval_loss }: Evaluation): Values {
  return {
    'eval/accuracy': accuracy,
    'eval/avg_reward': avg_reward,
    'eval/reward': avg_reward,
    'eval/median_reward': median_reward,
    'eval/std_reward': std_reward,
    'eval/reward_std': std_reward,
    ...(eval_loss === undefined ? { val_reward: avg_reward } : { eval_loss, 'eval/loss': eval_loss }),
  };
}

function positive(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

function whole(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

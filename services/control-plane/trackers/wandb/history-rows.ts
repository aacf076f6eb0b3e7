import type { Evaluation } from '../../../contracts/evaluation.ts';
import type { TrainerRecord } from '../../../contracts/record.ts';

/*
 * What W&B is shown of a run: a row of history for each record of metrics, each evaluation and each new best. Rows are a function of the records alone,
 * so that the same ones are sent again after a kill.
 */

/** A row without what depends on where it is put. */
export interface Row {
  attempt: number;
  n: number;
  step: number;
  /** Seconds since 1970. */
  timestamp: number;
  values: Readonly<Record<string, unknown>>;
}

/** An evaluation, and what of it was sent: its metrics follow in a record of their own and are not sent twice. */
export interface LastEvaluation {
  attempt: number;
  step: number;
}

export type RowRecord = Extract<TrainerRecord, { kind: 'metrics' | 'evaluation' | 'event' }>;

/** Kinds of records that rows may be made of. */
export const rowKinds = ['metrics', 'evaluation', 'event'] as const;

export function isRow(record: TrainerRecord): record is RowRecord {
  return (
    record.kind === 'metrics' ||
    record.kind === 'evaluation' ||
    (record.kind === 'event' && record.name === 'best_updated')
  );
}

export function rowOf(attempt: number, record: RowRecord, last: LastEvaluation | null): Row {
  const { n } = record;
  const base = { attempt, n, timestamp: Date.parse(record.time) / 1000 };
  if (record.kind === 'evaluation') {
    const step = Math.max(0, record.evaluation.step);
    return { ...base, step, values: evaluationValues(record.evaluation) };
  }
  if (record.kind === 'event') {
    const { step, metric, value } = record.data ?? {};
    const at = typeof step === 'number' ? step : 0;
    const best = { 'best/step': at, 'best/checkpoint': `checkpoint-${at}`, 'best/metric': metric, 'best/value': value };
    return { ...base, step: at, values: best };
  }
  const isSent = last?.attempt === attempt && last.step === record.step;
  const values = Object.entries(record.values).filter(([name]) => !isSent || !sentWithEvaluation.has(name));
  const { epoch, samples } = record;
  return {
    ...base,
    step: record.step,
    values: { 'train/epoch': epoch, 'train/samples': samples, ...Object.fromEntries(values) },
  };
}

/** The line of a row: `line` of the file, `runtime` in seconds since the W&B run began. `train/step` is the axis that lines up across resumes. */
export function lineValues({
  row,
  line,
  runtime,
}: {
  row: Row;
  line: number;
  runtime: number;
}): Record<string, unknown> {
  return {
    ...row.values,
    'train/step': row.step,
    attempt: row.attempt,
    _trainer_step: row.step,
    _step: line,
    _runtime: runtime,
    _timestamp: row.timestamp,
  };
}

const evaluationNames = {
  accuracy: 'eval/accuracy',
  avg_reward: 'eval/avg_reward',
  median_reward: 'eval/median_reward',
  std_reward: 'eval/reward_std',
  min_reward: 'eval/min_reward',
  max_reward: 'eval/max_reward',
  avg_score: 'eval/avg_score',
  avg_hits: 'eval/avg_hits',
  avg_turns: 'eval/avg_turns',
  avg_search_attempts: 'eval/avg_search_attempts',
  eval_loss: 'eval/loss',
  reward_margin: 'eval/reward_margin',
  correct_answers: 'eval/correct_answers',
  total_samples: 'eval/total_samples',
  attempted_answer: 'eval/attempted_answer',
  found_correct_profile: 'eval/found_correct_profile',
  read_correct_profile: 'eval/read_correct_profile',
  eval_time: 'eval/time',
} as const satisfies Partial<Record<keyof Evaluation, string>>;

/** What every evaluation has, so that a row that follows can leave it out without knowing which. */
const sentWithEvaluation: ReadonlySet<string> = new Set(
  (['accuracy', 'avg_reward', 'median_reward', 'std_reward'] as const).map((key) => evaluationNames[key]),
);

function evaluationValues(evaluation: Evaluation): Record<string, unknown> {
  const entries = Object.entries(evaluationNames).map(([key, name]) => [name, evaluation[key as keyof Evaluation]]);
  const values = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  return evaluation.is_baseline ? { ...values, 'eval/is_baseline': 1 } : values;
}

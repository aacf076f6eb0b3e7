import type { Method } from '../../contracts/run-spec.ts';

/** One line of a history, as its file has it. */
export type Row = Readonly<Record<string, unknown>>;

/** A `training_log.json` (requirement M6), of Tandem or of the scripts it takes its keys from. */
export interface TrainingLog {
  method: Method;
  config: Row;
  train: readonly Row[];
  validation: readonly Row[];
  /** What the file says of its best checkpoint, GRPO's and DPO's `best_checkpoint` or SFT's `final_metrics`; null where it says nothing. */
  best: Row | null;
}

/** What a file holds is no training log. The message goes on after the file's name. */
export class NoTrainingLogError extends Error {
  override readonly name = 'NoTrainingLogError';
}

/** A training log from a parsed document. @throws NoTrainingLogError */
export function judgeLog(document: unknown): TrainingLog {
  if (!isObject(document)) throw new NoTrainingLogError('holds no JSON object, so no training log');
  const { config, train_history: train, val_history: validation = [] } = document;
  if (!Array.isArray(train)) throw new NoTrainingLogError(explainForeign(document));
  if (!Array.isArray(validation)) throw new NoTrainingLogError('has a val_history that is no list');
  const log = { config: isObject(config) ? config : {}, train: rowsOf(train), validation: rowsOf(validation) };
  if (log.train.length < train.length || log.validation.length < validation.length)
    throw new NoTrainingLogError('has entries in its histories that are no objects; it was not written by a trainer');
  return { method: methodOf(log), best: bestOf(document), ...log };
}

/** The values of a key, a number for each row; NaN where a row has none. Python's NaN and Infinity come as words. */
export function column(rows: readonly Row[], key: string): Float64Array {
  return Float64Array.from(rows, (row) => numberOf(row[key]));
}

export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (value === 'Infinity' || value === '-Infinity') return Number(value);
  return Number.NaN;
}

/** The first of these keys that some row has a number for, be it NaN or an infinity. */
export function recordedKey(rows: readonly Row[], keys: readonly string[]): string | undefined {
  return keys.find((key) => rows.some((row) => typeof row[key] === 'number' || isWord(row[key])));
}

function isWord(value: unknown): boolean {
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity';
}

/** By the keys that only one method's config or rows have. */
function methodOf({ config, train }: Pick<TrainingLog, 'config' | 'train'>): Method {
  const row = train[0] ?? {};
  if ('beta' in config || 'reward_margin' in row) return 'dpo';
  if ('num_generations' in config || 'kl_coef' in config || 'reward' in row || 'kl' in row) return 'grpo';
  return 'sft';
}

function bestOf({ best_checkpoint: best, final_metrics: metrics }: Row): Row | null {
  if (isObject(best)) return best;
  if (isObject(metrics) && (metrics['best_checkpoint'] ?? null) !== null) return metrics;
  return null;
}

function explainForeign(document: Row): string {
  if ('log_history' in document)
    return "is a trainer_state.json of Hugging Face's Trainer; import its folder (POST /checkpoints/import), then ask for the run";
  if ('is_baseline' in document)
    return 'holds one evaluation; the training log is training_log.json in the directory above';
  return 'is no training log: it has no train_history; give the training_log.json of a run';
}

function rowsOf(list: readonly unknown[]): Row[] {
  return list.filter(isObject);
}

function isObject(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import { type Evaluation, evaluationSchema } from '../../contracts/evaluation.ts';
import { type ImportFolder, type LeftOut, LeftOutError } from './import-folder.ts';
import { objectOf } from './read-state.ts';

type Json = Record<string, unknown>;

/** What an output folder's logs hold, as their files have it. */
export interface FolderHistory {
  /** `config` of `training_log.json`. */
  readonly config: Json;
  readonly trainHistory: readonly Json[];
  readonly valHistory: readonly Json[];
  readonly bestStep: number | null;
  /** Of `eval_logs/` and `baseline_eval.json`; absent keys read as 0. */
  readonly evaluations: readonly Evaluation[];
  /** Of `wandb_backup/`: what was sent or was yet to be sent, by step. */
  readonly backups: readonly { readonly step: number; readonly values: Json }[];
  /** When the log was last written, milliseconds since the epoch; null without one. */
  readonly changed: number | null;
  readonly leftOut: readonly LeftOut[];
}

/** Characters of all JSON that one import reads; beyond it logs are left out. */
const MAX_HISTORY_BYTES = 256 * 2 ** 20;
const LOG = 'training_log.json';

/** Reads the logs of an output folder. A damaged file is left out and named; the others count all the same. */
export async function readHistory(folder: ImportFolder): Promise<FolderHistory> {
  const leftOut: LeftOut[] = [];
  let budget = MAX_HISTORY_BYTES;
  const read = async (path: string): Promise<Json | null> => {
    try {
      budget -= folder.files.get(path)?.size ?? 0;
      if (budget < 0)
        throw new LeftOutError(`${path} is beyond the ${MAX_HISTORY_BYTES} bytes of logs that one import reads`);
      return objectOf(await folder.readJson(path, 'word'));
    } catch (error) {
      if (!(error instanceof LeftOutError)) throw error;
      leftOut.push({ path, why: error.message.replace(`${path} `, '') });
      return null;
    }
  };
  const matching = (pattern: RegExp) => [...folder.files.keys()].filter((path) => pattern.test(path)).sort();

  const log = (folder.files.has(LOG) ? await read(LOG) : null) ?? {};
  const evaluations: Evaluation[] = [];
  for (const path of matching(/^(eval_logs\/eval_step_\d{1,15}|baseline_eval|eval_logs\/baseline_eval)\.json$/)) {
    const content = await read(path);
    const evaluation = content && toEvaluation(content, Number(/eval_step_(\d+)/.exec(path)?.[1] ?? -1));
    if (evaluation === undefined) leftOut.push({ path, why: 'holds a value that is no number where one belongs' });
    if (evaluation) evaluations.push(evaluation);
  }
  const backups: { step: number; values: Json }[] = [];
  for (const path of matching(/^wandb_backup\/step_\d{1,15}\.json$/)) {
    const content = await read(path);
    if (content === null) continue;
    const step = content['_trainer_step'] ?? content['step'] ?? Number(/(\d+)\.json$/.exec(path)?.[1]);
    backups.push({ step: Number(step), values: { ...content, ...objectOf(content['metrics']) } });
  }
  return {
    config: objectOf(log['config']),
    trainHistory: rowsOf(log['train_history']),
    valHistory: rowsOf(log['val_history']),
    bestStep: stepOf(log),
    evaluations,
    backups,
    changed: folder.files.get(LOG)?.changed ?? null,
    leftOut,
  };
}

/** An evaluation from what a file has of it; a file of a newer or older script has more or fewer keys. Undefined when a value is of the wrong kind. */
export function toEvaluation(fields: Json, step: number): Evaluation | undefined {
  const known = Object.entries(fields).filter(([key, value]) => key in evaluationSchema.shape && value !== null);
  const parsed = evaluationSchema.safeParse({ ...ZEROS, step, is_baseline: step === -1, ...Object.fromEntries(known) });
  return parsed.success ? parsed.data : undefined;
}

const ZEROS = {
  accuracy: 0,
  correct_answers: 0,
  total_samples: 0,
  avg_reward: 0,
  median_reward: 0,
  std_reward: 0,
  min_reward: 0,
  max_reward: 0,
  eval_time: 0,
};

function rowsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

/** GRPO and DPO logs name the step of the best checkpoint. */
function stepOf(log: Json): number | null {
  const step = objectOf(log['best_checkpoint'])['step'];
  return typeof step === 'number' && Number.isSafeInteger(step) && step >= 0 ? step : null;
}

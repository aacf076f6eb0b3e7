import { mergeSpecs, renameAliases } from '../../contracts/resolve-run-spec.ts';
import { loraTargets } from '../../contracts/run-spec/model.ts';
import { type Method, methods, runSpecSchema } from '../../contracts/run-spec.ts';
import { schemaAt, schemaKeys } from '../../contracts/schema-keys.ts';
import { aliasTarget, alsoMeans } from '../../contracts/spec-aliases.ts';
import { refusal } from '../runs/check-spec.ts';
import { type CheckpointState, objectOf } from './read-state.ts';

type Json = Record<string, unknown>;

/** Sections that a folder may speak for. Where a run sends data, and who it talks to, is for the request alone to say. */
const TOLD = ['method', 'seed', 'model', 'data', 'environment', 'reward', 'training', 'rollout', 'grpo', 'dpo', 'sft'];
/** What was true of the folder and is not of the new run. */
const NOT_TOLD = ['training.output_dir', 'training.start_fresh', 'training.run_baseline_eval'];

/**
 * The run spec of an import: what the request says, over what the folder tells. Among the folder's files the later beat the earlier: the adapter's or the
 * model's configuration, `trainer_state.json`, `training_log.json`, `training_metadata.json`. The result is yet to be checked as any submitted spec.
 *
 * @throws ProblemError invalid-spec when the request contradicts itself
 */
export function collectSpec({
  request,
  newest,
  logConfig,
  loggingSteps,
}: {
  request: Json;
  /** The checkpoint with the highest step. */
  newest: CheckpointState;
  /** `config` of `training_log.json`. */
  logConfig: Json;
  /** Steps between the rows of the training log, where they tell. */
  loggingSteps: number | null;
}): Json {
  const written = renameAliases(request);
  if (written.issues.length > 0) throw refusal('invalid-spec', written.issues);
  const layers = [
    ofWeights(newest),
    ofTrainer(newest.trainer),
    { method: guessMethod({ logConfig, newest }) },
    ...(loggingSteps === null ? [] : [{ training: { logging_steps: loggingSteps } }]),
    tellable(logConfig),
    tellable(newest.config),
  ];
  return mergeSpecs(layers.reduce(mergeSpecs, {}), written.document);
}

function ofWeights({ adapter, model }: CheckpointState): Json {
  if (Object.keys(adapter).length === 0) {
    const name = model['_name_or_path'];
    return { model: { use_lora: false, ...(typeof name === 'string' && name !== '' && { name }) } };
  }
  const { base_model_name_or_path: name, r, lora_alpha: alpha, lora_dropout: dropout } = adapter;
  // Another scale under another name: alpha / sqrt(r) is (alpha * sqrt(r)) / r.
  const scaled = adapter['use_rslora'] === true && typeof r === 'number' && typeof alpha === 'number';
  const lora = {
    r,
    alpha: scaled ? alpha * Math.sqrt(r) : alpha,
    dropout,
    target_modules: targetsOf(adapter['target_modules']),
  };
  return {
    model: { use_lora: true, ...(typeof name === 'string' && name !== '' && { name }), lora: withoutAbsent(lora) },
  };
}

function targetsOf(value: unknown): string[] | undefined {
  if (value === 'all-linear') return [...loraTargets];
  if (!Array.isArray(value)) return undefined;
  const named = new Set(value.map((each) => String(each).split('.').at(-1)));
  return loraTargets.filter((target) => named.has(target));
}

function ofTrainer(state: Json): Json {
  const { max_steps, num_train_epochs, train_batch_size, logging_steps, save_steps, eval_steps } = state;
  const counts = {
    max_steps,
    num_epochs: num_train_epochs,
    batch_size: train_batch_size,
    logging_steps,
    save_steps,
    eval_steps,
  };
  // Each may also be a share of all steps, which a spec has no word for.
  const told = Object.entries(counts).filter(([, value]) => typeof value === 'number' && value >= 1);
  return told.length === 0 ? {} : { training: Object.fromEntries(told) };
}

/** By the keys that only one method's files have. */
function guessMethod({ logConfig, newest }: { logConfig: Json; newest: CheckpointState }): Method {
  const named = [newest.config['method'], logConfig['method']].find((each) => methods.includes(each as Method));
  if (named !== undefined) return named as Method;
  const history = Array.isArray(newest.trainer['log_history']) ? newest.trainer['log_history'] : [];
  const keys = new Set(
    [logConfig, newest.config, newest.metrics, ...history.map(objectOf)].flatMap((each) => Object.keys(each)),
  );
  if (['beta', 'reward_margin', 'rewards/margins'].some((key) => keys.has(key))) return 'dpo';
  const grpo = ['num_generations', 'kl_coef', 'avg_reward', 'rollout', 'grpo', 'reward', 'completions/mean_length'];
  return grpo.some((key) => keys.has(key)) ? 'grpo' : 'sft';
}

/** Of a configuration, flat or in sections, what a run spec has a place for. */
function tellable(config: Json): Json {
  const known = Object.entries(config).filter(([key, value]) => {
    if (value === null || value === undefined) return false;
    return schemaKeys(runSpecSchema).includes(key) ? TOLD.includes(key) : aliasTarget(key) !== undefined;
  });
  // What means two settings gives way to what names one of them.
  known.sort(([one], [other]) => Number(Object.hasOwn(alsoMeans, one)) - Number(Object.hasOwn(alsoMeans, other)));
  // Where two spellings disagree the first counts: the folder is no document that its user could correct.
  let document: Json = {};
  for (const [key, value] of known) {
    const renamed = renameAliases({ [key]: value }).document;
    document = mergeSpecs(renamed, document);
  }
  return without(pruneUnknown(document), NOT_TOLD);
}

function pruneUnknown(value: Json, path: readonly string[] = []): Json {
  const keys = schemaKeys(path.length === 0 ? runSpecSchema : schemaAt(runSpecSchema, path));
  const kept = Object.entries(value).filter(
    ([key, each]) => each !== null && keys.includes(key) && (path.length > 0 || TOLD.includes(key)),
  );
  return Object.fromEntries(
    kept.map(([key, each]) => {
      const below = [...path, key];
      const isSection = schemaKeys(schemaAt(runSpecSchema, below)).length > 0;
      return [key, isSection ? pruneUnknown(objectOf(each), below) : each];
    }),
  );
}

function without(document: Json, paths: readonly string[]): Json {
  const copy = structuredClone(document);
  for (const path of paths) {
    const [section, key] = path.split('.') as [string, string];
    delete objectOf(copy[section])[key];
  }
  return copy;
}

function withoutAbsent(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}

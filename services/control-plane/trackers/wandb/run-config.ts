import { valueAt } from '../../../contracts/explain-issue.ts';
import type { RunSpec } from '../../../contracts/run-spec.ts';
import { specAliases } from '../../../contracts/spec-aliases.ts';

type Json = Record<string, unknown>;

/**
 * The config of a W&B run, as its protocol has it: the spec by sections, the same by the flat names of the users' scripts (which the tables of W&B sort
 * by), the architecture of the model, and where the run comes from. `_wandb.t` makes W&B take it for a run that can be resumed, `_wandb.m` says
 * what `define_metric` does in the SDK.
 */
export function wandbConfig({
  spec,
  architecture,
  origin,
}: {
  spec: RunSpec;
  architecture: Json;
  origin: Json;
}): Record<string, { value: unknown }> {
  const entries: Json = {
    ...flatNames(spec),
    ...spec,
    model_architecture: architecture,
    tandem: origin,
    _wandb: { t: { '13': `${process.platform}-${process.arch}` }, m: metricDefinitions },
  };
  return Object.fromEntries(Object.entries(withoutEmpty(entries) as Json).map(([key, value]) => [key, { value }]));
}

/** Objects without members are left out, as the SDK does. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, each]) => [key, withoutEmpty(each)] as const);
  return Object.fromEntries(members.filter(([, each]) => !isEmpty(each)));
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

/**
 * `define_metric('train/step')` and `define_metric('*', step_metric='train/step')` as the SDK encodes them: 1 name, 2 pattern, 5 number of the metric that
 * is the axis, counted from 1, 6 options (1: the axis is filled in, 3: defined by the user), 7 kinds of summary.
 */
const metricDefinitions = [
  { '1': 'train/step', '6': [3], '7': [] },
  { '2': '*', '5': 1, '6': [1], '7': [] },
] as const;

/** Of the names for a path the one it ends with, else the first. */
function flatNames(spec: RunSpec): Json {
  const names = new Map<string, string>();
  for (const [alias, path] of Object.entries(specAliases)) {
    if (!names.has(path) || path.endsWith(`.${alias}`)) names.set(path, alias);
  }
  return Object.fromEntries([...names].map(([path, alias]) => [alias, valueAt(spec, path.split('.')) ?? null]));
}

const sizes = [
  'architectures',
  'model_type',
  'hidden_size',
  'intermediate_size',
  'num_hidden_layers',
  'num_attention_heads',
  'num_key_value_heads',
  'head_dim',
  'vocab_size',
  'max_position_embeddings',
  'tie_word_embeddings',
  'torch_dtype',
  'dtype',
] as const;

/** Sizes of a model from its `config.json` (null: not known), and its parameters as the trainer has counted them. */
export function modelArchitecture(
  config: Readonly<Json> | null,
  parameters: { total: number; trainable: number } | null,
): Json {
  // Models with images say it of their text part.
  const text = { ...(config?.['text_config'] as Json | undefined), ...config };
  const known = sizes.filter((key) => text[key] !== undefined).map((key) => [key, text[key]]);
  return {
    ...Object.fromEntries(known),
    ...(parameters !== null && {
      total_parameters: parameters.total,
      trainable_parameters: parameters.trainable,
      trainable_ratio: parameters.trainable / parameters.total,
    }),
  };
}

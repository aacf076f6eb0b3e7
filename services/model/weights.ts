import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ModelConfig, parseModelConfig } from '../contracts/model-config.ts';
import { ModelError } from '../contracts/model-error.ts';
import type { FloatType } from './float-formats.ts';
import { type ParameterSpec, parameterSpecs } from './parameters.ts';
import { openSafetensors, type SafetensorsFile, type TensorData, writeSafetensors } from './safetensors.ts';

/** Weights under their Hugging Face names and with the layout of the disk: projections are [out, in]. */
export type Weights = ReadonlyMap<string, TensorData>;

/** Files beside the weights that belong to a model directory. */
const COMPANIONS =
  /^(tokenizer.*\.json|special_tokens_map\.json|vocab\.json|merges\.txt|added_tokens\.json|generation_config\.json|chat_template\..*)$/;

/**
 * Reads `config.json`, both as it stands and parsed.
 * @throws ModelError when the file is missing, is no JSON, or describes a model that is not supported.
 */
export async function loadConfig(
  dir: string,
): Promise<{ readonly json: Record<string, unknown>; readonly config: ModelConfig }> {
  const json = (await readJson(path.join(dir, 'config.json'))) as Record<string, unknown>;
  try {
    return { json, config: parseModelConfig(json) };
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new ModelError(error.code, `${dir}: ${error.message}`, { cause: error });
  }
}

/** Weights that are read when they are asked for. */
export interface WeightSource {
  /** A new copy of one weight, as float32 and in the layout of the disk. */
  read(name: string): Promise<TensorData>;
}

/**
 * Loads `model.safetensors`, or the shards named by `model.safetensors.index.json`, as float32.
 *
 * @throws ModelError `missing_tensor`, `unexpected_tensor`, `tensor_shape` (expected and found), or `invalid_safetensors`.
 */
export function loadWeights(dir: string, config: ModelConfig): Promise<Weights> {
  return readingWeights(dir, config, async (source) => {
    const weights = new Map<string, TensorData>();
    for (const { name } of parameterSpecs(config)) weights.set(name, await source.read(name));
    return weights;
  });
}

/**
 * Shows the weights of a directory to `use`, which reads those it wants, one tensor at a time; the files are closed after.
 * @throws ModelError as `loadWeights`, before anything is read.
 */
export async function readingWeights<T>(
  dir: string,
  config: ModelConfig,
  use: (source: WeightSource) => Promise<T>,
): Promise<T> {
  const files = await Promise.all((await shardNames(dir)).map((name) => openSafetensors(path.join(dir, name))));
  try {
    const owners = new Map<string, SafetensorsFile>();
    for (const file of files) for (const name of file.tensors.keys()) owners.set(name, file);
    refuseUnexpected(owners, config, dir);
    for (const spec of parameterSpecs(config)) checkTensor(spec, owners.get(spec.name), dir);
    return await use({
      async read(name) {
        const file = owners.get(name);
        if (file === undefined) throw new ModelError('missing_tensor', `${dir}: the weights lack ${name}`);
        return { shape: file.tensors.get(name)!.shape, data: await file.readFloats(name) };
      },
    });
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

/**
 * Writes a model directory that transformers and vLLM load: `config.json` (with the dtype as saved), `model.safetensors`,
 * and, from `companionsFrom`, the tokenizer and generation files. The same input gives the same bytes.
 */
export async function saveModel(
  dir: string,
  model: {
    readonly configJson: Readonly<Record<string, unknown>>;
    readonly weights: Weights;
    readonly dtype: FloatType;
    readonly companionsFrom?: string;
  },
): Promise<void> {
  const dtype = { F32: 'float32', BF16: 'bfloat16', F16: 'float16' }[model.dtype];
  const key = 'dtype' in model.configJson || !('torch_dtype' in model.configJson) ? 'dtype' : 'torch_dtype';
  await writeFile(path.join(dir, 'config.json'), `${JSON.stringify({ ...model.configJson, [key]: dtype }, null, 2)}\n`);
  await writeSafetensors(path.join(dir, 'model.safetensors'), model.weights, { dtype: model.dtype });
  if (model.companionsFrom === undefined) return;
  for (const name of (await readdir(model.companionsFrom)).filter((entry) => COMPANIONS.test(entry)).sort()) {
    await copyFile(path.join(model.companionsFrom, name), path.join(dir, name));
  }
}

/** Reads one JSON file; the error names it. */
export async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    const problem = cause instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw new ModelError('invalid_config', `${file} ${problem}: it belongs to every Hugging Face model directory`, {
      cause,
    });
  }
}

async function shardNames(dir: string): Promise<string[]> {
  const entries = await readdir(dir);
  if (entries.includes('model.safetensors')) return ['model.safetensors'];
  if (!entries.includes('model.safetensors.index.json')) {
    throw new ModelError('missing_tensor', `${dir} has neither model.safetensors nor model.safetensors.index.json`);
  }
  const index = (await readJson(path.join(dir, 'model.safetensors.index.json'))) as {
    weight_map?: Record<string, unknown>;
  };
  const names = [...new Set(Object.values(index.weight_map ?? {}))].map(String);
  const outside = names.find((name) => name !== path.basename(name));
  if (outside !== undefined)
    throw new ModelError('invalid_safetensors', `${dir}: the index names ${outside}, outside the directory`);
  const absent = names.find((name) => !entries.includes(name));
  if (absent !== undefined)
    throw new ModelError('missing_tensor', `${dir}: the index names ${absent}, which is not there`);
  return names;
}

/** A tensor nobody asked for means another architecture: ignoring it would compute something else in silence. */
function refuseUnexpected(owners: ReadonlyMap<string, SafetensorsFile>, config: ModelConfig, dir: string): void {
  const known = new Set(parameterSpecs(config).map((spec) => spec.name));
  if (config.tieWordEmbeddings) known.add('lm_head.weight');
  const unexpected = [...owners.keys()].filter((name) => !known.has(name) && !name.endsWith('.rotary_emb.inv_freq'));
  if (unexpected.length === 0) return;
  const named = unexpected.slice(0, 3).join(', ');
  throw new ModelError(
    'unexpected_tensor',
    `${dir}: ${unexpected.length} tensors do not belong to a ${config.modelType} model as config.json describes it, such as ${named}`,
  );
}

function checkTensor({ name, shape }: ParameterSpec, file: SafetensorsFile | undefined, dir: string): void {
  if (file === undefined) throw new ModelError('missing_tensor', `${dir}: the weights lack ${name}, shape [${shape}]`);
  const found = file.tensors.get(name)!.shape;
  if (found.join() === shape.join()) return;
  throw new ModelError('tensor_shape', `${file.path}: ${name} has shape [${found}], config.json expects [${shape}]`);
}

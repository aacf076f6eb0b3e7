import { ModelFetchError } from './model-fetch-error.ts';

export const WEIGHTS = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';

/** Small files that belong to a model: configuration, tokenizer, chat template. Never code, never weights of other formats. */
const COMPANIONS =
  /^(config\.json|generation_config\.json|tokenizer[\w.-]*\.json|tokenizer\.model|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt|(pre|video_pre)?processor_config\.json|chat_template\.(json|jinja))$/;
const SHARD = /^[\w-][\w.-]*\.safetensors$/;

/** Whether the names of the weights are in an index. */
export function isSharded(paths: readonly string[]): boolean {
  return !paths.includes(WEIGHTS) && paths.includes(INDEX);
}

/**
 * Which of a model's files have to be fetched: one file of weights or the shards that `index` (parsed) names, and what is beside them.
 * @param where for messages
 * @param otherwise what to do where files of the weights are not there
 * @throws ModelFetchError when it has no weights that can be read, or a shard is missing
 */
export function neededFiles(
  paths: readonly string[],
  index: unknown,
  where: string,
  otherwise = 'choose another revision',
): string[] {
  const there = new Set(paths);
  if (!there.has('config.json')) {
    throw new ModelFetchError(
      'missing',
      `${where} has no config.json, so it is no model in Hugging Face layout; choose another`,
    );
  }
  const companions = paths.filter((path) => COMPANIONS.test(path));
  if (there.has(WEIGHTS)) return [...companions, WEIGHTS];
  if (!there.has(INDEX)) throw new ModelFetchError('missing', `${where} has no ${WEIGHTS}${insteadOf(paths)}`);
  const shards = shardsOf(index, where, otherwise);
  const missing = shards.find((shard) => !there.has(shard));
  if (missing !== undefined) {
    throw new ModelFetchError('missing', `${where}: ${INDEX} names ${missing}, which is not there; ${otherwise}`);
  }
  return [...companions, INDEX, ...shards];
}

function shardsOf(index: unknown, where: string, otherwise: string): string[] {
  const map = typeof index === 'object' && index !== null ? (index as { weight_map?: unknown }).weight_map : null;
  const names = typeof map === 'object' && map !== null ? [...new Set(Object.values(map))] : [];
  const shards = names.filter((name): name is string => typeof name === 'string' && SHARD.test(name));
  if (shards.length > 0 && shards.length === names.length) return shards.sort();
  throw new ModelFetchError('missing', `${where}: ${INDEX} names no files of weights beside it; ${otherwise}`);
}

function insteadOf(paths: readonly string[]): string {
  const other = paths.find((path) => /\.(bin|pth|pt|gguf|onnx|h5|msgpack|safetensors)$/.test(path));
  if (other === undefined) return '; choose another model or revision';
  if (/adapter_model/.test(other)) return `, only an adapter (${other}); name its base model`;
  return `, only ${other}; choose a revision with safetensors, or convert it (save_pretrained) and give the directory`;
}

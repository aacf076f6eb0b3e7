import { ModelError } from './model-error.ts';

export type ModelType = 'qwen2' | 'qwen3' | 'llama';

/** Rotary position embedding. `theta` is the base of the inverse frequencies. */
export type RopeConfig =
  | { readonly kind: 'default'; readonly theta: number }
  | { readonly kind: 'linear'; readonly theta: number; readonly factor: number }
  | {
      readonly kind: 'llama3';
      readonly theta: number;
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositions: number;
    };

/** What the decoder needs to know of a Hugging Face `config.json`. */
export interface ModelConfig {
  readonly modelType: ModelType;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly rmsNormEps: number;
  readonly maxPositions: number;
  readonly tieWordEmbeddings: boolean;
  readonly bias: { readonly qkv: boolean; readonly output: boolean; readonly mlp: boolean };
  readonly qkNorm: boolean;
  readonly rope: RopeConfig;
  /** How the weights were saved; the engine itself computes in float32. */
  readonly dtype: 'float32' | 'bfloat16' | 'float16';
  readonly eosTokenIds: readonly number[];
}

type Json = Readonly<Record<string, unknown>>;

/** By `model_type`, as people know them. */
const FAMILIES: Readonly<Record<ModelType, string>> = {
  qwen2: 'Qwen2 and Qwen2.5',
  qwen3: 'Qwen3',
  llama: 'Llama 2 and 3, and what is built like them',
};

/**
 * Reads a parsed `config.json` of a qwen2, qwen3 or llama model, with the field names of transformers 4 or 5.
 *
 * @throws ModelError `unsupported_model` for another architecture or rope kind, `invalid_config` for a field that makes no sense.
 */
export function parseModelConfig(json: unknown): ModelConfig {
  if (!isObject(json)) throw new ModelError('invalid_config', 'config.json must hold a JSON object');
  const modelType = modelTypeOf(json);
  refuseUnsupported(json);
  const heads = integer(json, 'num_attention_heads');
  const hiddenSize = integer(json, 'hidden_size');
  const attentionBias = modelType !== 'qwen2' && json['attention_bias'] === true;
  const config: ModelConfig = {
    modelType,
    vocabSize: integer(json, 'vocab_size'),
    hiddenSize,
    intermediateSize: integer(json, 'intermediate_size'),
    layers: integer(json, 'num_hidden_layers'),
    heads,
    kvHeads: json['num_key_value_heads'] == null ? heads : integer(json, 'num_key_value_heads'),
    headDim: json['head_dim'] == null ? hiddenSize / heads : integer(json, 'head_dim'),
    rmsNormEps: number(json, 'rms_norm_eps', 1e-6),
    maxPositions: integer(json, 'max_position_embeddings'),
    tieWordEmbeddings: json['tie_word_embeddings'] === true,
    bias: {
      qkv: modelType === 'qwen2' || attentionBias,
      output: attentionBias,
      mlp: modelType === 'llama' && json['mlp_bias'] === true,
    },
    qkNorm: modelType === 'qwen3',
    rope: ropeOf(json),
    dtype: dtypeOf(json),
    eosTokenIds: tokenIds(json['eos_token_id']),
  };
  checkHeads(config);
  return config;
}

/** `eos_token_id` is absent, one id or a list of ids. */
export function tokenIds(value: unknown): number[] {
  const list = Array.isArray(value) ? value : [value];
  return list.filter((id): id is number => Number.isInteger(id));
}

function modelTypeOf(json: Json): ModelType {
  const type = json['model_type'];
  if (typeof type === 'string' && Object.hasOwn(FAMILIES, type)) return type as ModelType;
  const list = Object.entries(FAMILIES).map(([name, family]) => `${name} (${family})`);
  const images = 'vision_config' in json || 'text_config' in json ? ', text alone' : '';
  throw unsupported(`model_type ${JSON.stringify(type)}`, `model_type ${list.join(', ')}${images}`);
}

function refuseUnsupported(json: Json): void {
  refuseOtherHeads(json['architectures']);
  if (slides(json)) throw unsupported('use_sliding_window', 'full attention');
  for (const flag of ['use_mrope', 'rope_interleaved']) {
    if (json[flag] === true) throw unsupported(flag, 'one position for each token, rotated by halves');
  }
  const layerTypes = Array.isArray(json['layer_types']) ? json['layer_types'] : [];
  const other = layerTypes.find((type) => type !== 'full_attention');
  if (other !== undefined) throw unsupported(`layer_types ${JSON.stringify(other)}`, 'full_attention');
  const act = json['hidden_act'] ?? 'silu';
  if (act !== 'silu') throw unsupported(`hidden_act ${JSON.stringify(act)}`, 'silu');
  if (json['quantization_config'] != null)
    throw unsupported('quantization_config', 'float32, bfloat16 and float16 weights');
}

/** A model that ends in something other than logits of tokens has weights of its own for it. */
function refuseOtherHeads(architectures: unknown): void {
  const named = Array.isArray(architectures) ? architectures : [];
  if (named.length === 0 || named.some((name) => /ForCausalLM$/.test(String(name)))) return;
  throw unsupported(
    `architectures ${JSON.stringify(named)}`,
    'models that end in a language model head (...ForCausalLM)',
  );
}

/** In qwen2 and qwen3 the layers from `max_window_layers` on slide, in models that slide at all. */
function slides(json: Json): boolean {
  const { use_sliding_window: use, sliding_window: window, max_window_layers: first, num_hidden_layers: layers } = json;
  return use === true && window !== null && !(Number(first) >= Number(layers));
}

/** transformers 5 writes `rope_parameters`; hub checkpoints carry `rope_theta` and `rope_scaling` with `type` or `rope_type`. */
function ropeOf(json: Json): RopeConfig {
  const nested = json['rope_parameters'] ?? json['rope_scaling'] ?? {};
  if (!isObject(nested)) throw new ModelError('invalid_config', 'config.json: rope_parameters must be an object');
  const fields: Json = { rope_theta: json['rope_theta'] ?? 10_000, ...nested };
  const kind = fields['rope_type'] ?? fields['type'] ?? 'default';
  if (number(fields, 'partial_rotary_factor', 1) !== 1) throw unsupported('partial_rotary_factor', '1');
  const theta = number(fields, 'rope_theta');
  if (kind === 'default') return { kind, theta };
  if (kind === 'linear') return { kind, theta, factor: number(fields, 'factor') };
  if (kind !== 'llama3') throw unsupported(`rope_type ${JSON.stringify(kind)}`, 'rope_type default, linear, llama3');
  return {
    kind,
    theta,
    factor: number(fields, 'factor'),
    lowFreqFactor: number(fields, 'low_freq_factor'),
    highFreqFactor: number(fields, 'high_freq_factor'),
    originalMaxPositions: number(fields, 'original_max_position_embeddings'),
  };
}

function dtypeOf(json: Json): ModelConfig['dtype'] {
  const dtype = json['dtype'] ?? json['torch_dtype'] ?? 'float32';
  if (dtype === 'float32' || dtype === 'bfloat16' || dtype === 'float16') return dtype;
  throw unsupported(`dtype ${JSON.stringify(dtype)}`, 'dtype float32, bfloat16, float16');
}

function checkHeads(config: ModelConfig): void {
  const { heads, kvHeads, headDim } = config;
  if (heads % kvHeads !== 0) {
    throw new ModelError(
      'invalid_config',
      `config.json: num_attention_heads ${heads} is not a multiple of num_key_value_heads ${kvHeads}`,
    );
  }
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    throw new ModelError('invalid_config', `config.json: head_dim must be an even integer, got ${headDim}`);
  }
}

function integer(json: Json, key: string): number {
  const value = json[key];
  if (Number.isInteger(value) && (value as number) > 0) return value as number;
  throw new ModelError(
    'invalid_config',
    `config.json: ${key} must be a positive integer, got ${JSON.stringify(value)}`,
  );
}

function number(json: Json, key: string, fallback?: number): number {
  const value = json[key] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw new ModelError('invalid_config', `config.json: ${key} must be a positive number, got ${JSON.stringify(value)}`);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unsupported(found: string, supported: string): ModelError {
  return new ModelError('unsupported_model', `config.json: ${found} is not supported; supported: ${supported}`);
}

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ModelConfig, parseModelConfig } from '../contracts/model-config.ts';
import { type ParameterSpec, parameterSpecs } from './parameters.ts';
import { fillNormal, type Seed } from './random.ts';
import { TINY_TOKENS, TINY_VOCAB_SIZE, tinyTokenizerConfig, tinyTokenizerJson } from './tiny-tokenizer.ts';
import { saveModel, type Weights } from './weights.ts';

export interface TinyModelOptions {
  readonly seed?: Seed;
  readonly layers?: number;
  readonly hidden?: number;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly headDim?: number;
  readonly intermediate?: number;
  readonly maxPositions?: number;
}

/**
 * Writes a small Qwen3 model with random weights as a Hugging Face directory that transformers loads: configuration, weights,
 * tokenizer with a chat template, generation settings. The default has about 100,000 parameters and learns two-digit sums in
 * 1,500 steps of 32 examples (all weights, Adam, learning rate 0.003). The same options give the same bytes.
 *
 * @returns the parsed configuration.
 */
export async function makeTinyModel(dir: string, options: TinyModelOptions = {}): Promise<ModelConfig> {
  const configJson = tinyConfigJson(options);
  const config = parseModelConfig(configJson);
  await mkdir(dir, { recursive: true });
  await saveModel(dir, { configJson, weights: randomWeights(config, options.seed ?? 0), dtype: 'F32' });
  await writeJson(path.join(dir, 'tokenizer.json'), tinyTokenizerJson());
  await writeJson(path.join(dir, 'tokenizer_config.json'), tinyTokenizerConfig(config.maxPositions));
  await writeJson(path.join(dir, 'generation_config.json'), {
    eos_token_id: [TINY_TOKENS.imEnd, TINY_TOKENS.endOfText],
    pad_token_id: TINY_TOKENS.endOfText,
  });
  return config;
}

/**
 * Normal weights: 1/sqrt(in) for projections, smaller by 1/sqrt(2 layers) for those that write to the residual stream
 * (Radford et al., 2019). 0.2 for the embedding: it is also the head, and a smaller one, frozen under LoRA, could never give a
 * confident answer.
 */
export function randomWeights(config: ModelConfig, seed: Seed): Weights {
  return new Map(
    parameterSpecs(config).map((spec, index) => [
      spec.name,
      { shape: spec.shape, data: initialValues(spec, config.layers, seed, index) },
    ]),
  );
}

function initialValues({ name, shape }: ParameterSpec, layers: number, seed: Seed, index: number): Float32Array {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  if (shape.length === 1) return name.endsWith('.bias') ? data : data.fill(1);
  if (name.includes('embed_tokens') || name.startsWith('lm_head')) return fillNormal(data, 0.2, seed, index);
  const residual = name.includes('o_proj') || name.includes('down_proj') ? (2 * layers) ** -0.5 : 1;
  return fillNormal(data, residual * shape[1]! ** -0.5, seed, index);
}

function tinyConfigJson(options: TinyModelOptions): Record<string, unknown> {
  const heads = options.heads ?? 4;
  const layers = options.layers ?? 2;
  return {
    architectures: ['Qwen3ForCausalLM'],
    model_type: 'qwen3',
    vocab_size: TINY_VOCAB_SIZE,
    hidden_size: options.hidden ?? 64,
    intermediate_size: options.intermediate ?? 160,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: options.kvHeads ?? Math.max(1, Math.floor(heads / 2)),
    head_dim: options.headDim ?? 16,
    hidden_act: 'silu',
    max_position_embeddings: options.maxPositions ?? 512,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    tie_word_embeddings: true,
    attention_bias: false,
    attention_dropout: 0,
    use_sliding_window: false,
    eos_token_id: TINY_TOKENS.imEnd,
    pad_token_id: TINY_TOKENS.endOfText,
    dtype: 'float32',
  };
}

function writeJson(file: string, value: unknown): Promise<void> {
  return writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseModelConfig } from '../contracts/model-config.ts';
import { parameterSpecs } from './parameters.ts';

const configs = JSON.parse(
  readFileSync(new URL('../../test/golden/model-configs/configs.json', import.meta.url), 'utf8'),
) as Record<string, unknown>;

/** In millions, as their model cards say. */
function parameters(name: string): number {
  const specs = parameterSpecs(parseModelConfig(configs[name]));
  return Math.round(specs.reduce((sum, { shape }) => sum + shape.reduce((size, each) => size * each, 1), 0) / 1e6);
}

const llama3 = { kind: 'llama3', theta: 5e5, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 };
const taken: [name: string, millions: number, expected: object][] = [
  ['Qwen/Qwen2.5-0.5B-Instruct', 494, { headDim: 64, tieWordEmbeddings: true, rope: { kind: 'default', theta: 1e6 } }],
  [
    'Qwen/Qwen2.5-7B-Instruct',
    7616,
    { headDim: 128, tieWordEmbeddings: false, bias: { qkv: true, output: false, mlp: false } },
  ],
  [
    'deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B',
    1777,
    { maxPositions: 131_072, rope: { kind: 'default', theta: 10_000 } },
  ],
  ['Qwen/Qwen3-0.6B', 596, { headDim: 128, qkNorm: true, bias: { qkv: false, output: false, mlp: false } }],
  ['Qwen/Qwen3-8B', 8191, { qkNorm: true, tieWordEmbeddings: false, maxPositions: 40_960 }],
  ['meta-llama/Llama-2-7b-hf', 6738, { kvHeads: 32, dtype: 'float16', rope: { kind: 'default', theta: 10_000 } }],
  ['TinyLlama/TinyLlama-1.1B-Chat-v1.0', 1100, { kvHeads: 4, rmsNormEps: 1e-5, headDim: 64 }],
  [
    'deepseek-ai/deepseek-coder-1.3b-instruct',
    1346,
    { rope: { kind: 'linear', theta: 1e5, factor: 4 }, eosTokenIds: [32_021] },
  ],
  ['meta-llama/Meta-Llama-3-8B-Instruct', 8030, { rope: { kind: 'default', theta: 5e5 }, eosTokenIds: [128_009] }],
  [
    'meta-llama/Llama-3.1-8B-Instruct',
    8030,
    { rope: { ...llama3, factor: 8 }, eosTokenIds: [128_001, 128_008, 128_009] },
  ],
  ['meta-llama/Llama-3.2-1B-Instruct', 1236, { rope: { ...llama3, factor: 32 }, tieWordEmbeddings: true }],
  [
    'HuggingFaceTB/SmolLM2-135M-Instruct',
    135,
    { heads: 9, kvHeads: 3, headDim: 64, rope: { kind: 'default', theta: 1e5 } },
  ],
];
test.each(taken)('%s is read, and has %i million parameters', (name, millions, expected) => {
  expect(parseModelConfig(configs[name])).toMatchObject(expected);
  expect(parameters(name)).toBe(millions);
});

const families = 'qwen2 (Qwen2 and Qwen2.5), qwen3 (Qwen3), llama (Llama 2 and 3, and what is built like them)';
const refused: [name: string, why: string][] = [
  [
    'Qwen/Qwen2.5-7B-Instruct-AWQ',
    'quantization_config is not supported; supported: float32, bfloat16 and float16 weights',
  ],
  ['Qwen/Qwen2.5-Math-RM-72B', 'architectures ["Qwen2ForRewardModel"] is not supported'],
  ['Qwen/Qwen3-30B-A3B', `model_type "qwen3_moe" is not supported; supported: model_type ${families}`],
  [
    'Qwen/Qwen3-VL-2B-Instruct',
    `model_type "qwen3_vl" is not supported; supported: model_type ${families}, text alone`,
  ],
  ['mistralai/Mistral-7B-v0.1', `model_type "mistral" is not supported; supported: model_type ${families}`],
  ['google/gemma-2-2b', 'model_type "gemma2" is not supported'],
  ['microsoft/Phi-3-mini-4k-instruct', 'model_type "phi3" is not supported'],
  ['openai-community/gpt2', 'model_type "gpt2" is not supported'],
];
test.each(refused)('%s is refused, with what would be taken', (name, why) => {
  expect(() => parseModelConfig(configs[name])).toThrow(why);
});

test('every configuration is either taken or refused here', () => {
  expect([...taken, ...refused].map(([name]) => name).sort()).toEqual(Object.keys(configs).sort());
});

test.each([
  [{ use_sliding_window: true }, 'use_sliding_window'],
  [{ use_mrope: true }, 'use_mrope'],
  [{ rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32_768 } }, 'rope_type "yarn"'],
])('a change that its authors allow for is refused where it would be computed otherwise: %j', (change, why) => {
  const config = { ...(configs['Qwen/Qwen2.5-0.5B-Instruct'] as object), ...change };
  expect(() => parseModelConfig(config)).toThrow(why);
});

test('a window that no layer is in does not matter', () => {
  const config = { ...(configs['Qwen/Qwen2.5-0.5B-Instruct'] as object), use_sliding_window: true };
  expect(parseModelConfig({ ...config, max_window_layers: 24 })).toMatchObject({ layers: 24 });
  expect(parseModelConfig({ ...config, sliding_window: null })).toMatchObject({ layers: 24 });
});

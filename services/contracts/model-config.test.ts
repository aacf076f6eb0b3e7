import { describe, expect, test } from 'vitest';
import { parseModelConfig } from './model-config.ts';

const base = {
  vocab_size: 100,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
};

describe('parseModelConfig', () => {
  test('reads the names of transformers 4 and of transformers 5 alike', () => {
    const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
    const old = {
      ...base,
      model_type: 'llama',
      torch_dtype: 'bfloat16',
      rope_theta: 5e5,
      rope_scaling: { ...scaling, rope_type: 'llama3' },
    };
    const fresh = {
      ...base,
      model_type: 'llama',
      dtype: 'bfloat16',
      rope_parameters: { ...scaling, rope_type: 'llama3', rope_theta: 5e5 },
    };
    expect(parseModelConfig(old)).toEqual(parseModelConfig(fresh));
    expect(parseModelConfig(old)).toMatchObject({
      dtype: 'bfloat16',
      rope: { kind: 'llama3', theta: 5e5, originalMaxPositions: 64 },
    });
    const oldest = { ...base, model_type: 'llama', rope_scaling: { type: 'linear', factor: 2 } };
    expect(parseModelConfig(oldest).rope).toEqual({ kind: 'linear', theta: 10_000, factor: 2 });
  });

  test('knows which projections have a bias and which heads are normalised', () => {
    const of = (fields: object) => parseModelConfig({ ...base, ...fields });
    expect(of({ model_type: 'qwen2' })).toMatchObject({
      bias: { qkv: true, output: false, mlp: false },
      qkNorm: false,
    });
    expect(of({ model_type: 'qwen3' })).toMatchObject({
      bias: { qkv: false, output: false, mlp: false },
      qkNorm: true,
    });
    expect(of({ model_type: 'llama', attention_bias: true, mlp_bias: true })).toMatchObject({
      bias: { qkv: true, output: true, mlp: true },
    });
  });

  test('takes head_dim as given, else hidden_size / heads', () => {
    expect(parseModelConfig({ ...base, model_type: 'qwen3', head_dim: 16 }).headDim).toBe(16);
    expect(parseModelConfig({ ...base, model_type: 'qwen3', head_dim: null }).headDim).toBe(8);
  });

  test.each([
    [
      { model_type: 'mixtral' },
      /model_type "mixtral" is not supported; supported: model_type qwen2 \(Qwen2 and Qwen2\.5\), qwen3 \(Qwen3\), llama \(Llama 2 and 3/,
    ],
    [{ rope_scaling: { rope_type: 'yarn', factor: 2 } }, /rope_type "yarn".*default, linear, llama3/],
    [{ rope_scaling: { type: 'dynamic', factor: 2 } }, /rope_type "dynamic"/],
    [{ use_sliding_window: true }, /use_sliding_window/],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, /sliding_attention/],
    [{ hidden_act: 'gelu' }, /hidden_act "gelu"/],
    [{ quantization_config: { bits: 4 } }, /quantization_config/],
    [{ vocab_size: '100' }, /vocab_size must be a positive integer, got "100"/],
    [{ num_key_value_heads: 3 }, /not a multiple/],
    [{ head_dim: 7 }, /head_dim must be an even integer/],
    [{ hidden_size: undefined }, /hidden_size/],
  ])('refuses %j', (fields, message) => {
    expect(() => parseModelConfig({ ...base, model_type: 'qwen2', ...fields })).toThrow(message);
  });
});

import { expect, test } from 'vitest';
import type { ModelConfig } from '../../contracts/model-config.ts';
import { parameterSpecs } from '../../model/parameters.ts';
import { torchOrder } from './torch-order.ts';

const config = {
  ...{ vocabSize: 8, hiddenSize: 4, intermediateSize: 6, layers: 11, heads: 2, kvHeads: 1, headDim: 2 },
  ...{ qkNorm: true, bias: { qkv: true, output: true, mlp: true }, tieWordEmbeddings: false },
} as ModelConfig;

test('every parameter that a model can have has a place: modules as transformers declares them, weight before bias, layers by number', () => {
  const ordered = torchOrder(parameterSpecs(config)).map(({ name }) => name);
  const attention = ['q_proj', 'k_proj', 'v_proj', 'o_proj'].flatMap((name) => [`${name}.weight`, `${name}.bias`]);
  const mlp = ['gate_proj', 'up_proj', 'down_proj'].flatMap((name) => [`${name}.weight`, `${name}.bias`]);
  const layer = [
    ...[...attention, 'q_norm.weight', 'k_norm.weight'].map((name) => `self_attn.${name}`),
    ...mlp.map((name) => `mlp.${name}`),
    ...['input_layernorm.weight', 'post_attention_layernorm.weight'],
  ];
  const layers = Array.from({ length: 11 }, (_, i) => layer.map((name) => `model.layers.${i}.${name}`));
  expect(ordered).toEqual(['model.embed_tokens.weight', ...layers.flat(), 'model.norm.weight', 'lm_head.weight']);
});

test('parameters of another model stay in their order', () => {
  const names = ['model.norm.weight', 'model.embed_tokens.weight', 'something.else'].map((name) => ({ name }));
  expect(torchOrder(names)).toEqual(names);
});

import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Decoder, type ForwardOptions, loadDecoder } from './decoder.ts';
import type { Kernels } from './kernels/kernels.ts';
import { createLora, initialLoraWeights } from './lora.ts';
import { packSequences } from './packed-batch.ts';
import { parameterSpecs } from './parameters.ts';
import { isQuantised, roundedToNf4 } from './quantised-weights.ts';
import { resolveTargetModules } from './target-modules.ts';
import { floats, randomSource, sameBits, smallConfig, startKernels, values } from './testing/support.ts';

let kernels: Kernels;
beforeAll(async () => {
  kernels = await startKernels();
});

const sequences = [
  [5, 6, 7, 8],
  [1, 2, 3],
  [90, 80, 70, 60],
];

describe.each([
  ['tied', smallConfig()],
  [
    'untied, with biases',
    smallConfig({ model_type: 'llama', attention_bias: true, mlp_bias: true, tie_word_embeddings: false }),
  ],
])('a model in 4 bits (%s)', (_, config) => {
  test('gives the bits, also of gradients, of one whose float32 weights were rounded to 4 bits', async () => {
    const source = randomSource(config);
    const packed = await loadDecoder({ config, source, kernels, storage: 'nf4' });
    const rounded = await loadDecoder({ config, source: roundedToNf4(source), kernels, storage: 'frozen' });
    const exact = await loadDecoder({ config, source, kernels, storage: 'frozen' });
    const [own, expected] = [gradients(packed), gradients(rounded)];
    expect(own.size).toBe(expected.size);
    for (const [name, gradient] of expected) expect(sameBits(own.get(name)!, gradient), name).toBe(true);
    const recomputed = gradients(packed, { checkpointLayers: true });
    for (const [name, gradient] of expected) expect(sameBits(recomputed.get(name)!, gradient), name).toBe(true);
    expect(sameBits(logits(packed), logits(rounded))).toBe(true);
    expect(sameBits(logits(packed), logits(exact))).toBe(false);
  });

  test('keeps in the engine only what is not in 4 bits, and leaves nothing behind', async () => {
    const before = tf.memory();
    const decoder = await loadDecoder({ config, source: randomSource(config), kernels, storage: 'nf4' });
    const kept = parameterSpecs(config).filter(({ name }) => !isQuantised(name));
    const size = kept.reduce((sum, { shape }) => sum + shape.reduce((product, length) => product * length, 1), 0);
    expect(tf.memory().numBytes - before.numBytes).toBe(4 * size);
    gradients(decoder);
    const { numTensors } = tf.memory();
    for (let i = 0; i < 5; i++) gradients(decoder);
    expect(tf.memory().numTensors).toBe(numTensors);
    decoder.dispose();
    expect(tf.memory().numTensors).toBe(before.numTensors);
  });
});

test('what is in 4 bits are the projections of the layers', () => {
  const names = parameterSpecs(smallConfig({ num_hidden_layers: 1, tie_word_embeddings: false })).map(
    ({ name }) => name,
  );
  expect(names.filter((name) => !isQuantised(name))).toEqual([
    'model.embed_tokens.weight',
    'model.layers.0.input_layernorm.weight',
    'model.layers.0.self_attn.q_norm.weight',
    'model.layers.0.self_attn.k_norm.weight',
    'model.layers.0.post_attention_layernorm.weight',
    'model.norm.weight',
    'lm_head.weight',
  ]);
});

function logits(decoder: Decoder): Float32Array {
  return floats(tf.tidy(() => decoder.logits(decoder.hidden(packSequences(sequences)))));
}

/** Of an adapter on all projections, for the sum of the logits with fixed weights. */
function gradients(decoder: Decoder, options: ForwardOptions = {}): Map<string, Float32Array> {
  const { config } = decoder;
  const lora = { r: 3, alpha: 6, dropout: 0, targetModules: resolveTargetModules('all-linear') };
  const weights = initialLoraWeights(lora, config, 1);
  let seed = 2;
  for (const [name, { data }] of weights) if (name.includes('lora_B')) data.set(values(data.length, seed++));
  const adapter = createLora(lora, config, weights, true);
  const factors = tf.tensor2d(values(11 * config.vocabSize, 99), [11, config.vocabSize]);
  const { value, grads } = tf.variableGrads(
    () => {
      const states = decoder.hidden(packSequences(sequences), { ...options, adapter });
      return tf.sum(tf.mul(decoder.logits(states), factors)) as tf.Scalar;
    },
    adapter.variables.map(({ variable }) => variable),
  );
  const read = new Map(adapter.variables.map((entry) => [entry.name, floats(grads[entry.variable.name]!)] as const));
  tf.dispose([value, factors]);
  tf.dispose(grads);
  adapter.dispose();
  return read;
}

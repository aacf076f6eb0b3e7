import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Decoder } from './decoder.ts';
import type { Kernels } from './kernels/kernels.ts';
import { createLora, initialLoraWeights, type LoraAdapter } from './lora.ts';
import { packSequences } from './packed-batch.ts';
import { resolveTargetModules } from './target-modules.ts';
import { meterHeap } from './testing/heap-meter.ts';
import { floats, relativeDifference, sameBits, smallConfig, smallDecoder, startKernels } from './testing/support.ts';
import { readLogits, rowsPerChunk, tokenLogprobs } from './token-logprobs.ts';

let kernels: Kernels;
beforeAll(async () => {
  kernels = await startKernels();
});
const sequences = [
  Array.from({ length: 40 }, (_, i) => (7 * i) % 90),
  Array.from({ length: 25 }, (_, i) => (5 * i) % 90),
];
const rows = Int32Array.from({ length: 50 }, (_, i) => i + 10);
const targets = Int32Array.from({ length: 50 }, (_, i) => (11 * i) % 97);

/** Loss of logprobs and entropies in unequal parts, its gradients by name, and the bytes of tensors it took. */
function learn(decoder: Decoder, chunk: number, adapter?: LoraAdapter) {
  const { variables } = adapter ?? decoder;
  const meter = meterHeap();
  const weights = tf.tensor1d(Float32Array.from(rows, (row) => Math.sin(row)));
  const { value, grads } = tf.variableGrads(
    () => {
      const states = decoder.hidden(packSequences(sequences), adapter && { adapter });
      const { logprobs, entropy } = tokenLogprobs(decoder, states, { rows, targets }, 0.7, chunk);
      return tf.sum(tf.add(tf.mul(logprobs, weights), tf.mul(entropy, 0.1))) as tf.Scalar;
    },
    variables.map(({ variable }) => variable),
  );
  meter.end();
  const loss = floats(value)[0];
  const gradients = variables.map((entry) => floats(grads[entry.variable.name]!).slice());
  tf.dispose([value, grads, weights]);
  return { loss, gradients, bytes: meter.peak().tensors };
}

describe.each([
  ['tied to the embedding', { tie_word_embeddings: true }],
  ['of its own', { tie_word_embeddings: false }],
])('with a head %s, logprobs in chunks', (_, fields) => {
  test('have the same values and gradients as at once, and leave no tensor behind', async () => {
    const decoder = await smallDecoder(kernels, smallConfig(fields), 'trainable');
    const whole = learn(decoder, 50);
    const { numTensors } = tf.memory();
    const chunked = learn(decoder, 7);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(chunked.loss).toBeCloseTo(whole.loss!, 4);
    for (const [i, { name }] of decoder.variables.entries()) {
      expect(relativeDifference(chunked.gradients[i]!, whole.gradients[i]!), name).toBeLessThan(1e-5);
    }
  });
});

test('each logprob has the same bits in any chunk', async () => {
  const decoder = await smallDecoder(kernels, smallConfig());
  const of = (chunk: number) =>
    tf.tidy(() => {
      const { logprobs, entropy } = tokenLogprobs(
        decoder,
        decoder.hidden(packSequences(sequences)),
        { rows, targets },
        1,
        chunk,
      );
      return [floats(logprobs).slice(), floats(entropy).slice()];
    });
  const [whole, chunked] = [of(50), of(3)];
  for (const [i, values] of whole.entries()) expect(sameBits(values, chunked[i]!)).toBe(true);
});

test('no more logits are held than a chunk of them', async () => {
  const config = smallConfig({ vocab_size: 40_000, num_hidden_layers: 1 });
  const decoder = await smallDecoder(kernels, config);
  const lora = { r: 2, alpha: 4, dropout: 0, targetModules: resolveTargetModules('all-linear') };
  const adapter = createLora(lora, config, initialLoraWeights(lora, config, 1), true);
  const bytes = (chunk: number) => learn(decoder, chunk, adapter).bytes;
  // The first one makes what is kept of the frozen weights.
  bytes(50);
  const saved = bytes(50) - bytes(5);
  expect(saved).toBeGreaterThan(0.8 * (2 * 45 * 40_000 * 4));
});

test('chunks are small for any vocabulary, and logits are shown in them', async () => {
  expect(rowsPerChunk(151_936)).toBe(55);
  expect(rowsPerChunk(262)).toBeGreaterThan(30_000);
  const decoder = await smallDecoder(kernels, smallConfig());
  const seen: number[] = [];
  tf.tidy(() => {
    const states = decoder.hidden(packSequences(sequences));
    readLogits(decoder, states, rows, (logits, first, count) => {
      seen.push(first, count, logits.length);
    });
  });
  expect(seen).toEqual([0, 50, 50 * 97]);
});

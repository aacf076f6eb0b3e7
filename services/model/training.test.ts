import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Engine, startEngine } from './backend.ts';
import type { Decoder, ForwardOptions } from './decoder.ts';
import type { Kernels } from './kernels/kernels.ts';
import { createWasmKernels } from './kernels/wasm-kernels.ts';
import { createLora, initialLoraWeights, type LoraConfig } from './lora.ts';
import { dropoutMask } from './lora-dropout.ts';
import { packSequences } from './packed-batch.ts';
import { resolveTargetModules } from './target-modules.ts';
import { meterHeap } from './testing/heap-meter.ts';
import { floats, sameBits, smallConfig, smallDecoder, startKernels, values } from './testing/support.ts';
import { readVariable, type TrainableVariable, writeVariable } from './trainable.ts';

const config = smallConfig();
const lora: LoraConfig = { r: 4, alpha: 8, dropout: 0.25, targetModules: resolveTargetModules('all-linear') };
const sequences = [
  [5, 6, 7, 8, 9, 10],
  [1, 2, 3],
  [90, 80, 70, 60],
];
let engine: Engine;
let kernels: Kernels;

beforeAll(async () => {
  engine = await startEngine();
  kernels = await startKernels();
});

describe('training', () => {
  test('an adapter holds the number of tensors over 50 steps, lowers the loss and leaves the base as it was', async () => {
    const decoder = await smallDecoder(kernels, config);
    const before = decoder.export();
    const adapter = createLora(lora, config, initialLoraWeights(lora, config, 1), true);
    const start = adapter.export();
    const { losses, tensors } = train(decoder, adapter.variables, (step) => ({ adapter, dropout: { seed: 1, step } }));
    expect(new Set(tensors.slice(1)).size).toBe(1);
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.5);
    for (const [name, { data }] of decoder.export()) expect(sameBits(data, before.get(name)!.data), name).toBe(true);
    for (const [name, { data }] of adapter.export()) expect(sameBits(data, start.get(name)!.data), name).toBe(false);
  });

  test('all weights holds the number of tensors, lowers the loss and changes each of them', async () => {
    const decoder = await smallDecoder(kernels, config, 'trainable');
    const before = decoder.export();
    const { losses, tensors } = train(decoder, decoder.variables, () => ({}));
    expect(new Set(tensors.slice(1)).size).toBe(1);
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.5);
    for (const [name, { data }] of decoder.export()) expect(sameBits(data, before.get(name)!.data), name).toBe(false);
  });
});

describe('layers that are computed again in the backward pass', () => {
  const drawn = () => {
    const start = initialLoraWeights(lora, config, 1);
    return new Map([...start].map(([name, { shape }], i) => [name, { shape, data: values(shape[0]! * shape[1]!, i) }]));
  };
  test.each([
    [
      'an adapter with dropout',
      async () => ({ decoder: await smallDecoder(kernels, config), adapter: createLora(lora, config, drawn(), true) }),
    ],
    ['all weights', async () => ({ decoder: await smallDecoder(kernels, config, 'trainable'), adapter: undefined })],
  ])('give %s the same loss and gradients to the last bit, and leave no tensor behind', async (_, make) => {
    const { decoder, adapter } = await make();
    const { variables } = adapter ?? decoder;
    const options = { ...(adapter && { adapter, dropout: { seed: 3, step: 2 } }) };
    const plain = lossAndGradients(decoder, variables, options);
    const { numTensors } = tf.memory();
    const again = lossAndGradients(decoder, variables, { ...options, checkpointLayers: true });
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(again.loss).toBe(plain.loss);
    for (const [i, gradient] of again.gradients.entries()) {
      expect(sameBits(gradient, plain.gradients[i]!), variables[i]!.name).toBe(true);
      expect(gradient.some((value) => value !== 0)).toBe(true);
    }
    expect(again.tensorBytes).toBeLessThan(0.75 * plain.tensorBytes);
  });
});

test('decoders, adapters and forward passes give all their tensors back', async () => {
  const before = tf.memory().numTensors;
  const decoder = await smallDecoder(kernels, config);
  const adapter = createLora(lora, config, initialLoraWeights(lora, config, 1), false);
  tf.dispose(decoder.hidden(packSequences(sequences), { adapter }));
  tf.dispose(tf.tidy(() => decoder.logits(decoder.hidden(packSequences(sequences)))));
  adapter.dispose();
  decoder.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('a new adapter changes nothing, since B is zero', async () => {
  const decoder = await smallDecoder(kernels, config);
  const adapter = createLora(lora, config, initialLoraWeights(lora, config, 1), true);
  const [base, adapted] = [{}, { adapter }].map((options) => floats(decoder.hidden(packSequences(sequences), options)));
  expect([...adapted!]).toEqual([...base!]);
});

describe('LoRA dropout', () => {
  test('is the same for a sequence whichever micro-batch of the step it is in, and another at another step', async () => {
    const decoder = await smallDecoder(kernels, config);
    const weights = new Map(
      [...initialLoraWeights(lora, config, 1)].map(([name, { shape, data }]) => [
        name,
        { shape, data: data.map((_, i) => Math.sin(i)) },
      ]),
    );
    const adapter = createLora(lora, config, weights, true);
    const run = (batch: number[][], step: number, firstSequence: number) =>
      floats(decoder.hidden(packSequences(batch), { adapter, dropout: { seed: 3, step, firstSequence } }));
    const whole = run(sequences, 4, 0);
    expect(sameBits(whole.slice(6 * config.hiddenSize), run(sequences.slice(1), 4, 1))).toBe(true);
    expect(sameBits(whole, run(sequences, 5, 0))).toBe(false);
  });

  test('drops the given share of inputs and scales the rest so that the mean stays', () => {
    const rows = { sequences: new Int32Array(200), positions: Int32Array.from({ length: 200 }, (_, i) => i) };
    const mask = floats(dropoutMask({ seed: 1, step: 0 }, 0, rows, 61, 0.2));
    const dropped = mask.filter((value) => value === 0).length / mask.length;
    expect(dropped).toBeCloseTo(0.2, 1);
    expect(mask.every((value) => value === 0 || value === 1.25)).toBe(true);
    expect(mask.reduce((sum, value) => sum + value, 0) / mask.length).toBeCloseTo(1, 1);
  });
});

describe('memory', () => {
  test('a step that would not fit is refused with the remedy, and leaves nothing behind', async () => {
    let asked = engine;
    const guarded = { ...engine, checkMemory: (...blocks: number[]) => asked.checkMemory(...blocks) };
    const decoder = await smallDecoder(createWasmKernels(guarded), config);
    const before = tf.memory().numTensors;
    // How far the heap is filled depends on the tests before this one, so nothing fits at first.
    asked = await startEngine({ memoryLimitBytes: 1 });
    expect(() => decoder.hidden(packSequences([[1, 2]]))).toThrow(/MiB.*lower batch_size, max_seq_length or lora.r/);
    expect(tf.memory().numTensors).toBe(before);
    asked = engine;
    expect(floats(decoder.hidden(packSequences([[1, 2]]))).every(Number.isFinite)).toBe(true);
  });
});

test('a variable written in the layout of the disk reads back', async () => {
  const decoder = await smallDecoder(kernels, config, 'trainable');
  for (const entry of decoder.variables.filter(({ name }) => /layers\.0|embed/.test(name))) {
    const data = values(entry.variable.size, 9);
    writeVariable(entry, data);
    expect(readVariable(entry)).toEqual({ shape: entry.shape, data });
  }
});

test.each([
  ['a token outside the vocabulary', { tokens: Int32Array.of(1, 97), lengths: [2] }, /token 97 at 1/],
  ['lengths that do not add up', { tokens: Int32Array.of(1, 2), lengths: [1] }, /add up to its 2 tokens/],
  ['an empty sequence', { tokens: Int32Array.of(1), lengths: [1, 0] }, /lengths of 1 or more/],
])('a batch with %s is refused', async (_, batch, message) => {
  const decoder = await smallDecoder(kernels, config);
  expect(() => decoder.hidden(batch)).toThrow(message);
});

/** 50 steps of plain gradient descent on the mean token logprob. */
function train(decoder: Decoder, variables: readonly TrainableVariable[], options: (step: number) => ForwardOptions) {
  const batch = packSequences(sequences);
  const rows = Int32Array.of(0, 1, 2, 3, 4, 6, 7, 9, 10, 11);
  const targets = Int32Array.of(6, 7, 8, 9, 10, 2, 3, 80, 70, 60);
  const optimizer = tf.train.sgd(0.2);
  const [losses, tensors]: [number[], number[]] = [[], []];
  for (let step = 0; step < 50; step++) {
    const { value, grads } = tf.variableGrads(
      () => {
        const logits = decoder.logits(decoder.selectRows(decoder.hidden(batch, options(step)), rows));
        return tf.neg(tf.mean(kernels.tokenLogprobs(logits, targets, 1).logprobs)) as tf.Scalar;
      },
      variables.map((entry) => entry.variable),
    );
    optimizer.applyGradients(grads);
    losses.push(floats(value)[0]!);
    tf.dispose([value, grads]);
    tensors.push(tf.memory().numTensors);
  }
  return { losses, tensors };
}

/** Of the mean logprob of each next token. */
function lossAndGradients(decoder: Decoder, variables: readonly TrainableVariable[], options: ForwardOptions) {
  const meter = meterHeap();
  const { value, grads } = tf.variableGrads(
    () => {
      const logits = decoder.logits(decoder.hidden(packSequences(sequences), options));
      const targets = Int32Array.from({ length: logits.shape[0] }, (_, i) => i + 3);
      return tf.mean(decoder.kernels.tokenLogprobs(logits, targets, 1).logprobs) as tf.Scalar;
    },
    variables.map(({ variable }) => variable),
  );
  meter.end();
  const loss = floats(value)[0];
  const gradients = variables.map(({ variable }) => floats(grads[variable.name]!).slice());
  tf.dispose([value, grads]);
  return { loss, gradients, tensorBytes: meter.peak().tensors };
}

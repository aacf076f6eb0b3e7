import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startEngine } from '../../services/model/backend.ts';
import { findAddons } from '../../services/model/engines/find-addons.ts';
import { describeGolden } from '../../services/model/golden.contract.ts';
import { createKernels } from '../../services/model/kernels/create-kernels.ts';
import { describeKernels } from '../../services/model/kernels/kernels.contract.ts';
import type { Kernels, LinearWeight, LoraTerm } from '../../services/model/kernels/kernels.ts';
import { hasFusedOperations } from '../../services/model/kernels/native/fused.ts';
import { createNativeKernels } from '../../services/model/kernels/native-kernels.ts';
import { quantiseNf4 } from '../../services/model/nf4.ts';
import { describeRandomModels } from '../../services/model/random-models.contract.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { benchMethods } from '../bench/support/step-shape.ts';
import { createTrainingStep } from '../bench/support/training-step.ts';

const here = findAddons(process.env).cpu !== null;
const start = async () => createKernels(await startEngine({ engine: 'node' }));
/** As on a GPU, and with the addon of the packages as published. */
const startComposed = async () => createNativeKernels(await startEngine({ engine: 'node' }), false);

describe.skipIf(!here)('TensorFlow on cores (needs ./scripts/install-tensorflow.sh)', () => {
  describeKernels('node', start);
  describeGolden('node', start);
  describeRandomModels('node', start);
  describeKernels('node, of operations of TensorFlow alone', startComposed);
  describeGolden('node, of operations of TensorFlow alone', startComposed);

  test('the addon brings operations of our own', async () => {
    expect(hasFusedOperations(await startEngine({ engine: 'node' }))).toBe(true);
  });

  test.each([
    false,
    true,
  ])('steps of every method leave no tensor behind, with gradient checkpointing %s', async (checkpointLayers) => {
    const directory = await mkdtemp(join(tmpdir(), 'tandem-native-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    await makeTinyModel(directory);
    const step = await createTrainingStep(directory, await start(), { checkpointLayers });
    const all = async () => {
      for (const method of benchMethods) await step[method]();
      return tf.memory().numTensors;
    };
    // The first ones leave constants: masks, shapes, angles of positions.
    const before = await all();
    expect(await all()).toBe(before);
  });

  test('what attention keeps for the backward pass grows with the length of a sequence, not with its square', async () => {
    const kernels = await start();
    const kept = (length: number) => {
      const [q, k, v] = [1, 2, 3].map((seed) => normal(length, 8, seed));
      const shape = { heads: 2, kvHeads: 2, headDim: 4 };
      return keptBy(q!, (x) => kernels.attention({ q: x, k: k!, v: v! }, shape, [wholeSequence(length)]));
    };
    // The first of each length makes its masks, which are kept.
    const [short, long] = [1024, 2048].map((length) => kept(length) && kept(length));
    expect(long).toBeLessThan(2.1 * short!);
  });

  test.each([
    'linear with LoRA',
    'trained linear',
    'attention',
    'log-probabilities',
    'log-probabilities at a temperature',
    'entropy',
  ] as const)('%s asks for the memory that it takes, forward and backward', async (name) => {
    const asked = [0, 0];
    const passes = { at: 0 };
    const engine = await startEngine({ engine: 'node' });
    const checkMemory = (...blocks: number[]) => {
      asked[passes.at] = Math.max(
        asked[passes.at]!,
        blocks.reduce((sum, bytes) => sum + bytes, 0),
      );
    };
    const kernels = createNativeKernels({ ...engine, checkMemory });
    const { input, operation } = largeOperations(kernels)[name]();
    const made = [0, 0];
    onTestFinished(countingOutputs((bytes) => (made[passes.at]! += bytes)));
    tf.tidy(() =>
      tf.grad((x) => {
        const out = operation(x as tf.Tensor2D);
        passes.at = 1;
        return out;
      })(input),
    );
    for (const pass of [0, 1]) {
      expect(asked[pass], `pass ${pass}`).toBeGreaterThan(0.8 * made[pass]!);
      expect(asked[pass], `pass ${pass}`).toBeLessThan(1.7 * made[pass]!);
    }
  });

  test('4-bit weights ask for the matrix that each product unpacks', async () => {
    const weight = (await start()).weights.nf4(quantiseNf4(new Float32Array(64 * 96), [64, 96]), undefined);
    expect(weight.scratch('times').reduce((sum, bytes) => sum + bytes, 0)).toBe(2 * 4 * 64 * 96);
  });

  test.each([1, 0.7])('of logits at temperature %s one tensor of their size is kept', async (temperature) => {
    const kernels = await start();
    const logits = normal(4, 10_000, 1);
    const kept = keptBy(logits, (x) => kernels.tokenLogprobs(x, Int32Array.of(1, 2, 3, 4), temperature).logprobs);
    expect(kept).toBeLessThan(1.1 * 4 * logits.size);
  });
});

function wholeSequence(length: number) {
  return { queryStart: 0, queryLength: length, keyStart: 0, keyLength: length };
}

function normal(rows: number, columns: number, seed: number): tf.Tensor2D {
  return tf.randomNormal([rows, columns], 0, 1, 'float32', seed);
}

/** Bytes that an operation's result and what it saved for the backward pass hold. */
function keptBy(input: tf.Tensor2D, operation: (x: tf.Tensor2D) => tf.Tensor): number {
  let bytes = 0;
  tf.grad((x) => {
    const before = tf.memory().numBytes;
    const out = operation(x as tf.Tensor2D);
    bytes = tf.memory().numBytes - before;
    return out;
  })(input);
  return bytes;
}

/** Operations whose widest values are most of what they make. */
function largeOperations(kernels: Kernels) {
  const targets = Int32Array.of(1, 2, 3, 4);
  const linear = (weight: LinearWeight, term?: LoraTerm) => ({
    input: normal(64, 96, 1),
    operation: (x: tf.Tensor2D) => kernels.linear(x, weight, term),
  });
  const attention = (length: number) => {
    const [q, k, v] = [1, 2, 3].map((seed) => normal(length, 8, seed)) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
    const shape = { heads: 8, kvHeads: 8, headDim: 1 };
    return {
      input: q,
      operation: (x: tf.Tensor2D) => kernels.attention({ q: x, k, v }, shape, [wholeSequence(length)]),
    };
  };
  const statistics = (what: 'logprobs' | 'entropy', temperature: number) => ({
    input: normal(4, 10_000, 1),
    operation: (x: tf.Tensor2D) => kernels.tokenLogprobs(x, targets, temperature)[what],
  });
  const lora = () => ({ a: normal(96, 2, 3), b: normal(2, 128, 4), scale: 2, mask: normal(64, 96, 5) });
  return {
    'linear with LoRA': () => linear(kernels.weights.frozen(normal(96, 128, 2), tf.ones([128])), lora()),
    'trained linear': () => {
      const weight = tf.variable(normal(96, 128, 2));
      return linear(kernels.weights.trained(weight as unknown as tf.Tensor2D, undefined));
    },
    attention: () => attention(128),
    'log-probabilities': () => statistics('logprobs', 1),
    'log-probabilities at a temperature': () => statistics('logprobs', 0.7),
    entropy: () => statistics('entropy', 0.7),
  };
}

/** Tells the bytes of every tensor that an operation of TensorFlow makes; another shape of the same values is none. */
function countingOutputs(tell: (bytes: number) => void): () => void {
  const backend = tf.backend() as unknown as Record<string, (...args: unknown[]) => tf.Tensor | tf.Tensor[]>;
  const names = ['executeSingleOutput', 'executeMultipleOutputs'] as const;
  for (const name of names) {
    const execute = backend[name]!.bind(backend);
    backend[name] = (...args) => {
      const outputs = execute(...args);
      if (args[0] !== 'Reshape') for (const { size } of [outputs].flat()) tell(4 * size);
      return outputs;
    };
  }
  return () => {
    for (const name of names) Reflect.deleteProperty(backend, name);
  };
}

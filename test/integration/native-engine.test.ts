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
import { describeRandomModels } from '../../services/model/random-models.contract.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { benchMethods } from '../bench/support/step-shape.ts';
import { createTrainingStep } from '../bench/support/training-step.ts';

const here = findAddons(process.env).cpu !== null;
const start = async () => createKernels(await startEngine({ engine: 'node' }));

describe.skipIf(!here)('TensorFlow on cores (needs ./scripts/install-tensorflow.sh)', () => {
  describeKernels('node', start);
  describeGolden('node', start);
  describeRandomModels('node', start);

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

import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../backend.ts';
import { computeOnThreads, matrix, startKernels, values } from '../testing/support.ts';
import { attentionScratch } from './attention-blocks.ts';
import { frozenLinear, tiedFrozenHead, tiedTrainedHead, trainedLinear } from './float-linear.ts';
import { describeKernels } from './kernels.contract.ts';
import type { OwnedLinear } from './kernels.ts';
import { createWasmKernels } from './wasm-kernels.ts';

beforeAll(startKernels);
describeKernels('wasm', startKernels);

const kernelsAsking = (checkMemory: Engine['checkMemory']) =>
  createWasmKernels({ name: 'wasm', version: '', reason: '', memoryLimitBytes: 0, usedBytes: () => 0, checkMemory });

describe('linear asks for the copies of a matrix', () => {
  // 48 KiB, where every operand and result is smaller.
  const [inner, outer] = [16, 768];
  const bytes = 4 * inner * outer;
  const ofMatrix = () => matrix(inner, outer, 1);
  const ofEmbedding = () => matrix(outer, inner, 1);

  test.each([
    ['frozen: one, which is kept', () => frozenLinear(ofMatrix(), undefined), [1, 0, 0, 0]],
    ['frozen and tied: one, which is kept', () => tiedFrozenHead(ofEmbedding()), [1, 0, 0, 0]],
    ['trained: besides its gradient', () => trainedLinear(ofMatrix(), undefined), [1, 1 + 2, 1, 1 + 2]],
    ['trained and tied: besides its gradient', () => tiedTrainedHead(ofEmbedding()), [2, 1 + 2]],
  ])('%s', (_, make, expected) => {
    const asked: number[] = [];
    const asking = kernelsAsking((...blocks) => asked.push(blocks.filter((block) => block === bytes).length));
    tf.tidy(() => {
      const weight = make();
      for (let pass = 0; pass < expected.length / 2; pass++) {
        tf.grad((input) => asking.linear(input as tf.Tensor2D, weight))(matrix(1, inner, 2));
      }
      (weight as Partial<OwnedLinear>).dispose?.();
    });
    expect(asked).toEqual(expected);
  });

  test.each([
    ['frozen', tiedFrozenHead],
    ['trained', tiedTrainedHead],
  ])('before it makes any: a tied %s head that is refused leaves nothing behind', (_, make) => {
    const refusing = kernelsAsking(() => {
      throw new Error('refused');
    });
    const [x, table] = [matrix(1, inner, 2), ofEmbedding()];
    const before = tf.memory().numTensors;
    expect(() => refusing.linear(x, make(table))).toThrow('refused');
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('on three threads', () => {
  beforeAll(() => computeOnThreads(3));
  afterAll(() => computeOnThreads(1));

  test.each([
    [1, 1, 1],
    [1, 2, 2],
    [4, 2, 3],
  ])('attention of %i sequences to %i heads of keys asks for scratch of %i', (sequences, kvHeads, slots) => {
    const shape = { heads: 2, kvHeads, headDim: 8 };
    const spans = Array.from({ length: sequences }, (_, i) => ({
      ...{ queryStart: 5 * i, queryLength: 5, keyStart: 5 * i, keyLength: 5 },
    }));
    const asked: number[] = [];
    tf.tidy(() => {
      const [q, k, v] = [2, kvHeads, kvHeads].map((heads) => matrix(5 * sequences, 8 * heads, 1));
      kernelsAsking((...blocks) => asked.push(...blocks)).attention({ q: q!, k: k!, v: v! }, shape, spans);
    });
    expect(asked).toEqual([4 * slots * attentionScratch(shape, spans)]);
  });

  test('a head asks for scratch of each for its backward pass: a panel as long as the vocabulary', () => {
    const [hidden, vocabulary] = [16, 768];
    const head = tiedFrozenHead(matrix(vocabulary, hidden, 1));
    const packed = 4 * hidden * vocabulary;
    expect(head.scratch('times')).toEqual([packed]);
    expect(head.scratch('timesTransposed')).toEqual([packed, 3 * 4 * 8 * vocabulary]);
  });
});

test.each([
  ['more chunks of attention', [300, 21]],
  ['fewer', [321]],
])('values and gradients are the same bits on three threads as on one, with %s', async (_, lengths) => {
  const kernels = await startKernels();
  const shape = { heads: 4, kvHeads: 2, headDim: 16 };
  const spans = lengths.map((length, i) => ({
    ...{ queryStart: 300 * i, queryLength: length, keyStart: 300 * i, keyLength: length },
  }));
  const norm = tf.tensor1d(values(64, 1));
  const [ofQ, ...ofKv] = [64, 32, 32].map((width, i) => kernels.weights.frozen(matrix(64, width, 2 + i), undefined));
  const layer = (x: tf.Tensor, a: tf.Tensor, b: tf.Tensor): tf.Tensor2D => {
    const normed = kernels.rmsNorm(x as tf.Tensor2D, norm, 1e-6);
    const q = kernels.linear(normed, ofQ!, { a: a as tf.Tensor2D, b: b as tf.Tensor2D, scale: 0.5 });
    const [k, v] = ofKv.map((weight) => kernels.linear(normed, weight)) as [tf.Tensor2D, tf.Tensor2D];
    return kernels.swiglu(kernels.attention({ q, k, v }, shape, spans), q);
  };
  const results = () =>
    tf.tidy(() => {
      const inputs = [matrix(321, 64, 5), matrix(64, 8, 6), matrix(8, 64, 7)] as const;
      return [layer(...inputs), ...tf.grads(layer)([...inputs])].map((tensor) => tensor.dataSync());
    });
  const alone = results();
  await computeOnThreads(3);
  const together = results();
  await computeOnThreads(1);
  for (const weight of [ofQ!, ...ofKv]) weight.dispose();
  norm.dispose();
  expect(together).toEqual(alone);
});

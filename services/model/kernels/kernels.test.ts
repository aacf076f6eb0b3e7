import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../backend.ts';
import { matrix, startKernels } from '../testing/support.ts';
import { frozenLinear, tiedFrozenHead, tiedTrainedHead, trainedLinear } from './float-linear.ts';
import { describeKernels } from './kernels.contract.ts';
import type { OwnedLinear } from './kernels.ts';
import { createWasmKernels } from './wasm-kernels.ts';

beforeAll(startKernels);
describeKernels('wasm', startKernels);

describe('linear asks for the copies of a matrix', () => {
  // 24 KiB, where every operand and result is smaller.
  const [inner, outer] = [8, 768];
  const bytes = 4 * inner * outer;
  const ofMatrix = () => matrix(inner, outer, 1);
  const ofEmbedding = () => matrix(outer, inner, 1);
  const kernelsAsking = (checkMemory: Engine['checkMemory']) =>
    createWasmKernels({ name: 'wasm', version: '', reason: '', memoryLimitBytes: 0, usedBytes: () => 0, checkMemory });

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

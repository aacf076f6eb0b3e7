import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startEngine } from '../../services/model/backend.ts';
import { findAddons } from '../../services/model/engines/find-addons.ts';
import type { AttentionSpan } from '../../services/model/kernels/attention.ts';
import type { Kernels, LinearWeight } from '../../services/model/kernels/kernels.ts';
import { createNativeKernels } from '../../services/model/kernels/native-kernels.ts';
import { quantiseNf4 } from '../../services/model/nf4.ts';
import { fillNormal } from '../../services/model/random.ts';
import * as tf from '../../services/model/tf.ts';

const THREADS = 4;
const { cpu } = findAddons(process.env);
const [rows, inner, outer, rank] = [500, 304, 260, 8];

let own: Kernels;
let composed: Kernels;

// Shapes are such that every operation is cut into chunks, of which none is like another.
describe.skipIf(cpu === null)('our operations on several threads (needs ./scripts/install-tensorflow.sh)', () => {
  beforeAll(async () => {
    vi.stubEnv('TANDEM_THREADS', String(THREADS));
    const engine = await startEngine({ engine: 'node' });
    [own, composed] = [createNativeKernels(engine, true), createNativeKernels(engine, false)];
  });
  afterAll(() => void vi.unstubAllEnvs());

  test.each([
    'as it lies',
    'in 4 bits',
    'with a bias',
  ] as const)('a projection %s and its adapter, with dropout', (kind) => {
    const weightOf = ({ weights }: Kernels): LinearWeight => {
      const bias = kind === 'with a bias' ? normal([outer], 2) : undefined;
      if (kind !== 'in 4 bits') return weights.frozen(normal([inner, outer], 1), bias as tf.Tensor1D | undefined);
      return weights.nf4(quantiseNf4(normal([outer, inner], 1).dataSync() as Float32Array, [outer, inner]), undefined);
    };
    const mask = tf.tensor2d(
      Float32Array.from({ length: rows * inner }, (_, i) => (i % 10 < 9 ? 10 / 9 : 0)),
      [rows, inner],
    );
    const [ours, theirs] = [own, composed].map((kernels) => {
      const weight = weightOf(kernels);
      return valueAndGradients(
        [normal([rows, inner], 4), normal([inner, rank], 5), normal([rank, outer], 6)],
        ([x, a, b]) => kernels.linear(x!, weight, { a: a!, b: b!, scale: 2, mask }),
      );
    });
    expectClose(ours!, theirs!);
  });

  test('attention of sequences of many lengths, three query heads to a key head', () => {
    const shape = { heads: 6, kvHeads: 2, headDim: 24 };
    const spans = spansOf([70, 201, 5, 128, 96]);
    const widths = [shape.heads, shape.kvHeads, shape.kvHeads].map((heads) => heads * shape.headDim);
    const inputs = widths.map((width, i) => normal([500, width], 10 + i));
    const [ours, theirs] = [own, composed].map((kernels) =>
      valueAndGradients(inputs, ([q, k, v]) => kernels.attention({ q: q!, k: k!, v: v! }, shape, spans)),
    );
    expectClose(ours!, theirs!);
  });

  test('logits of few rows, whose columns are shared', () => {
    const embedding = normal([5003, 64], 20);
    const [ours, theirs] = [own, composed].map((kernels) => {
      const weight = kernels.weights.tiedFrozen(embedding);
      return valueAndGradients([normal([40, 64], 21)], ([x]) => kernels.linear(x!, weight));
    });
    expectClose(ours!, theirs!);
  });

  test('threads that have fallen asleep take part again, and the bits stay', async () => {
    const weight = own.weights.frozen(normal([inner, outer], 30), undefined);
    const x = normal([rows, inner], 31);
    const once = () => {
      const product = own.linear(x, weight);
      const values = Buffer.from(product.dataSync().slice().buffer);
      product.dispose();
      return values;
    };
    const first = once();
    const threads = readdirSync('/proc/self/task').length;
    for (let i = 0; i < 50; i++) {
      await sleep(i % 4);
      expect(once().equals(first)).toBe(true);
    }
    expect(readdirSync('/proc/self/task').length).toBe(threads);
    expect(threads).toBeGreaterThanOrEqual(THREADS);
  });
});

function normal(shape: number[], seed: number): tf.Tensor2D {
  const values = fillNormal(new Float32Array(shape.reduce((size, length) => size * length, 1)), 1, seed);
  return tf.tensor(values, [...shape] as [number, number]);
}

function spansOf(lengths: readonly number[]): AttentionSpan[] {
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return { queryStart: at - length, queryLength: length, keyStart: at - length, keyLength: length };
  });
}

/** The result, and the gradients of its product with a fixed matrix. */
function valueAndGradients(inputs: tf.Tensor2D[], of: (inputs: tf.Tensor2D[]) => tf.Tensor2D): Float32Array[] {
  let value: Float32Array | undefined;
  const gradients = tf.grads((...given: tf.Tensor[]) => {
    const out = of(given as tf.Tensor2D[]);
    value = out.dataSync().slice() as Float32Array;
    return tf.sum(tf.mul(out, normal([...out.shape], 99)));
  })(inputs);
  return [value!, ...gradients.map((gradient) => gradient.dataSync().slice() as Float32Array)];
}

/** Within rounding of sums of hundreds of terms. */
function expectClose(found: readonly Float32Array[], expected: readonly Float32Array[]): void {
  expect(found.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  for (const [i, values] of expected.entries()) {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const apart = values.reduce((most, value, at) => Math.max(most, Math.abs(value - found[i]![at]!)), 0);
    expect(apart / largest, `tensor ${i}`).toBeLessThan(1e-5);
  }
}

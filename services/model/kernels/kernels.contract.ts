import { beforeAll, describe, expect, test } from 'vitest';
import { dequantiseNf4, quantiseNf4 } from '../nf4.ts';
import { floats, matrix, relativeDifference, values } from '../testing/support.ts';
import * as tf from '../tf.ts';
import type { Kernels } from './kernels.ts';
import { createRopeTable } from './rope.ts';

/** What kernels of every engine do: the values and gradients of definitions written with tfjs's own operations. */
export function describeKernels(engine: string, start: () => Promise<Kernels>): void {
  describe(`kernels on ${engine}`, () => {
    let kernels: Kernels;
    beforeAll(async () => {
      kernels = await start();
    });

    describe('linear', () => {
      const [x, a, b] = [() => matrix(7, 10, 1), () => matrix(10, 3, 2), () => matrix(3, 6, 3)];

      test('has the value and gradients of x W + b', () => {
        const variables = [tf.variable(matrix(10, 6, 4)), tf.variable(tf.tensor1d(values(6, 5)))] as const;
        const [matrixVariable, bias] = [
          variables[0] as tf.Tensor as tf.Tensor2D,
          variables[1] as tf.Tensor as tf.Tensor1D,
        ];
        const weight = kernels.weights.trained(matrixVariable, bias);
        const own = gradients((input) => kernels.linear(input as tf.Tensor2D, weight), [x()], variables);
        const reference = gradients((input) => tf.add(tf.matMul(input!, matrixVariable), bias), [x()], variables);
        expectClose(own, reference);
      });

      test('adds scale * (x * mask) A B, with gradients for x, A and B', () => {
        const frozen = matrix(10, 6, 4);
        const weight = kernels.weights.frozen(matrix(10, 6, 4), undefined);
        const mask = tf.tensor2d(
          values(70, 6).map((value) => (value > 0 ? 1.25 : 0)),
          [7, 10],
        );
        const own = gradients(
          (input, low, high) =>
            kernels.linear(input as tf.Tensor2D, weight, {
              a: low as tf.Tensor2D,
              b: high as tf.Tensor2D,
              scale: 0.7,
              mask,
            }),
          [x(), a(), b()],
        );
        const reference = gradients(
          (input, low, high) =>
            tf.add(tf.matMul(input!, frozen), tf.mul(0.7, tf.matMul(tf.matMul(tf.mul(input!, mask), low!), high!))),
          [x(), a(), b()],
        );
        expectClose(own, reference);
      });
    });

    describe('the output projection of a tied model', () => {
      test('is the transpose of the embedding, and its gradients reach the embedding', () => {
        const embedding = tf.variable(matrix(9, 5, 1));
        const table = embedding as tf.Tensor as tf.Tensor2D;
        const own = gradients(
          (x) => kernels.linear(x as tf.Tensor2D, kernels.weights.tiedTrained(table)),
          [matrix(4, 5, 2)],
          [embedding],
        );
        expectClose(
          own,
          gradients((x) => tf.matMul(x!, table, false, true), [matrix(4, 5, 2)], [embedding]),
        );
      });

      test('passes gradients on where it is frozen', () => {
        const embedding = matrix(9, 5, 1);
        const head = kernels.weights.tiedFrozen(embedding);
        const own = gradients((x) => kernels.linear(x as tf.Tensor2D, head), [matrix(4, 5, 2)]);
        expectClose(
          own,
          gradients((x) => tf.matMul(x!, embedding, false, true), [matrix(4, 5, 2)]),
        );
        head.dispose();
      });
    });

    test('a projection in 4 bits has the value and gradients of its unpacked matrix', () => {
      const packed = quantiseNf4(values(6 * 10, 4), [6, 10]);
      const unpacked = new Float32Array(60);
      dequantiseNf4(packed, 0, unpacked);
      const reference = tf.tensor2d(unpacked, [6, 10]);
      const bias = tf.tensor1d(values(6, 5));
      const weight = kernels.weights.nf4(packed, bias);
      const own = gradients((x) => kernels.linear(x as tf.Tensor2D, weight), [matrix(7, 10, 1)]);
      expectClose(
        own,
        gradients((x) => tf.add(tf.matMul(x!, reference, false, true), bias), [matrix(7, 10, 1)]),
      );
      weight.dispose();
    });

    test('rows copies table rows and adds up the gradients of repeated ones', () => {
      const indices = [4, 0, 4, 2];
      const own = gradients((table) => kernels.rows(table as tf.Tensor2D, Int32Array.from(indices)), [matrix(5, 3, 1)]);
      const select = tf.oneHot(tf.tensor1d(indices, 'int32'), 5).toFloat();
      expectClose(
        own,
        gradients((table) => tf.matMul(select, table!), [matrix(5, 3, 1)]),
      );
      expect(() => kernels.rows(matrix(5, 3, 1), Int32Array.of(5))).toThrow(/row 5 is outside the 5/);
    });

    test.each([
      ['whole rows', 12],
      ['the heads of a row', 4],
    ])('rmsNorm of %s has the value and gradients of its definition', (_, size) => {
      const weight = tf.variable(tf.tensor1d(values(size, 2)));
      const own = gradients(
        (x) => kernels.rmsNorm(x as tf.Tensor2D, weight as tf.Tensor as tf.Tensor1D, 1e-3),
        [matrix(5, 12, 1)],
        [weight],
      );
      const reference = gradients(
        (x) => {
          const groups = tf.reshape(x!, [-1, size]);
          const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(groups), 1, true), 1e-3));
          return tf.reshape(tf.mul(tf.mul(groups, inverse), weight), [5, 12]);
        },
        [matrix(5, 12, 1)],
        [weight],
      );
      expectClose(own, reference);
    });

    test('rope turns by the angle of the position, and its gradient turns back', () => {
      const table = createRopeTable({ kind: 'default', theta: 100 }, 6);
      const positions = Int32Array.of(0, 3, 70);
      const own = gradients((x) => kernels.rope(x as tf.Tensor2D, positions, table), [matrix(3, 12, 1)]);
      const angles = [...positions].flatMap((p) =>
        [0, 1].flatMap(() => [0, 1, 2, 0, 1, 2].map((i) => p / 100 ** (i / 3))),
      );
      const [cos, sin] = [Math.cos, Math.sin].map((f) => tf.tensor2d(angles.map(f), [3, 12]));
      const reference = gradients(
        (x) => {
          const [a1, b1, a2, b2] = tf.split(x!, 4, 1);
          return tf.add(tf.mul(x!, cos!), tf.mul(tf.concat([tf.neg(b1!), a1!, tf.neg(b2!), a2!], 1), sin!));
        },
        [matrix(3, 12, 1)],
      );
      expectClose(own, reference);
    });

    describe('attention', () => {
      test.each([
        { heads: 4, kvHeads: 2, headDim: 8, lengths: [5, 1, 9] },
        { heads: 2, kvHeads: 2, headDim: 6, lengths: [7, 7] },
        { heads: 6, kvHeads: 1, headDim: 4, lengths: [5, 1, 9] },
        { heads: 2, kvHeads: 1, headDim: 4, lengths: [9, 131, 8, 140] },
        { heads: 1, kvHeads: 1, headDim: 4, lengths: [600] },
      ])('of packed sequences has the values and gradients of masked softmax attention, $heads heads on $kvHeads of $headDim, $lengths', ({
        lengths,
        ...shape
      }) => {
        const sequences = lengths.flatMap((length, i) => Array.from({ length }, () => i));
        const [rows, width, kvWidth] = [sequences.length, shape.heads * shape.headDim, shape.kvHeads * shape.headDim];
        const starts = lengths.map((_, i) => sequences.indexOf(i));
        const spans = lengths.map((length, i) => ({
          queryStart: starts[i]!,
          queryLength: length,
          keyStart: starts[i]!,
          keyLength: length,
        }));
        const inputs = () => [matrix(rows, width, 1), matrix(rows, kvWidth, 2), matrix(rows, kvWidth, 3)];
        const own = gradients(
          (q, k, v) => kernels.attention({ q, k, v } as Record<'q' | 'k' | 'v', tf.Tensor2D>, shape, spans),
          inputs(),
        );
        const visible = tf.tensor2d(
          Array.from({ length: rows }, (_, i) =>
            Array.from({ length: rows }, (_, j) => (sequences[i] === sequences[j] && j <= i ? 0 : -1e9)),
          ),
        );
        const reference = gradients((q, k, v) => {
          const heads = Array.from({ length: shape.heads }, (_, head) => {
            const kvAt = Math.floor((head * shape.kvHeads) / shape.heads) * shape.headDim;
            const query = tf.slice(q!, [0, head * shape.headDim], [rows, shape.headDim]);
            const key = tf.slice(k!, [0, kvAt], [rows, shape.headDim]);
            const scores = tf.mul(tf.matMul(query, tf.transpose(key)), shape.headDim ** -0.5);
            return tf.matMul(tf.softmax(tf.add(scores, visible)), tf.slice(v!, [0, kvAt], [rows, shape.headDim]));
          });
          return tf.concat(heads, 1);
        }, inputs());
        expectClose(own, reference);
      });
    });

    test('swiglu has the value and gradients of silu(gate) * up', () => {
      const inputs = () => [matrix(5, 7, 1), matrix(5, 7, 2)];
      const own = gradients((gate, up) => kernels.swiglu(gate as tf.Tensor2D, up as tf.Tensor2D), inputs());
      expectClose(
        own,
        gradients((gate, up) => tf.mul(tf.mul(gate!, tf.sigmoid(gate!)), up!), inputs()),
      );
    });

    describe('tokenLogprobs', () => {
      const targets = Int32Array.of(3, 0, 8, 8);

      test.each([
        1, 0.7,
      ])('has the values and gradients of log-softmax and entropy at temperature %s', (temperature) => {
        const own = gradients(
          (logits) => {
            const { logprobs, entropy } = kernels.tokenLogprobs(logits as tf.Tensor2D, targets, temperature);
            return tf.stack([logprobs, entropy]);
          },
          [matrix(4, 9, 1)],
        );
        const picked = tf.oneHot(tf.tensor1d([...targets], 'int32'), 9).toFloat();
        const reference = gradients(
          (logits) => {
            const logprobs = tf.logSoftmax(tf.div(logits!, temperature));
            return tf.stack([
              tf.sum(tf.mul(logprobs, picked), 1),
              tf.neg(tf.sum(tf.mul(tf.exp(logprobs), logprobs), 1)),
            ]);
          },
          [matrix(4, 9, 1)],
        );
        expectClose(own, reference);
      });

      test('stays finite for logits that leave one token possible', () => {
        const logits = tf.tensor2d([[1e4, -1e4, 0]]);
        const { logprobs, entropy } = kernels.tokenLogprobs(logits, Int32Array.of(0), 1);
        expect([...floats(logprobs), ...floats(entropy)].every((value) => value === 0)).toBe(true);
        const [gradient] = tf.grads((z: tf.Tensor) => {
          const both = kernels.tokenLogprobs(z as tf.Tensor2D, Int32Array.of(0), 1);
          return tf.add(tf.sum(both.logprobs), tf.sum(both.entropy));
        })([logits]);
        expect(floats(gradient!).every((value) => value === 0)).toBe(true);
      });

      test('refuses a target outside the vocabulary', () => {
        expect(() => kernels.tokenLogprobs(matrix(1, 9, 1), Int32Array.of(9), 1)).toThrow(/target token 9/);
      });
    });
  });
}

/** Value of an operation, and the gradients of its weighted sum for its inputs and for variables. */
function gradients(
  operation: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: tf.Tensor[],
  variables: readonly tf.Variable[] = [],
): Float32Array[] {
  const value = operation(...inputs);
  const weights = tf.tensor(values(value.size, 77), value.shape);
  const weighted = (...args: tf.Tensor[]) => tf.sum(tf.mul(operation(...args), weights)) as tf.Scalar;
  const forInputs = tf.grads(weighted)(inputs);
  const forVariables = variables.length === 0 ? {} : tf.variableGrads(() => weighted(...inputs), [...variables]).grads;
  return [value, ...forInputs, ...variables.map((variable) => forVariables[variable.name]!)].map(floats);
}

function expectClose(own: readonly Float32Array[], reference: readonly Float32Array[]): void {
  expect(own.length).toBe(reference.length);
  for (const [i, array] of own.entries())
    expect(relativeDifference(array, reference[i]!), `result ${i}`).toBeLessThan(2e-5);
}

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computeOnThreads, matrix, startKernels } from '../testing/support.ts';
import * as tf from '../tf.ts';
import { type PackedMatrix, pack, packTransposed, times, timesTransposed, unpack } from './packed-matrix.ts';

beforeAll(startKernels);
afterAll(() => computeOnThreads(1));

/** Each sum in order, rounded after every operation. */
function plainly(x: tf.Tensor2D, matrix: tf.Tensor2D): number[] {
  const [[rows, inner], columns] = [x.shape, matrix.shape[1]];
  const [a, b] = [x.dataSync(), matrix.dataSync()];
  return Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++)
      sum = Math.fround(sum + Math.fround(a[row * inner + k]! * b[k * columns + column]!));
    return sum;
  });
}

describe.each([1, 2, 3])('on %i threads', (count) => {
  beforeAll(() => computeOnThreads(count));

  test.each([
    [1, 37, 70],
    [2, 8, 8],
    [3, 5, 262],
    [4, 1, 3],
    [5, 24, 40],
    [9, 13, 9],
    [300, 33, 17],
  ])('%i rows times [%i, %i] and its transpose have the bits of a plain loop', (rows, inner, columns) => {
    tf.tidy(() => {
      const b = matrix(inner, columns, 1);
      const [x, dy] = [matrix(rows, inner, 2), matrix(rows, columns, 3)];
      const bTransposed: tf.Tensor2D = tf.transpose(b);
      for (const packed of [pack(b), packTransposed(bTransposed)]) {
        expect(Array.from(times(x, packed).dataSync())).toEqual(plainly(x, b));
        expect(Array.from(timesTransposed(dy, packed).dataSync())).toEqual(plainly(dy, bTransposed));
      }
    });
  });

  test('many chunks have the bits of one', () => {
    tf.tidy(() => {
      const [x, b] = [matrix(520, 96, 1), pack(matrix(96, 200, 2))];
      const rows = (first: number, length: number) => tf.slice(x, [first, 0], [length, 96]);
      const whole = times(x, b).dataSync();
      for (const first of [0, 255, 519]) {
        expect(times(rows(first, 1), b).dataSync()).toEqual(whole.slice(200 * first, 200 * (first + 1)));
      }
    });
  });
});

test('a packed matrix gives its values back', () => {
  tf.tidy(() => {
    const given = matrix(5, 19, 1);
    expect(unpack(pack(given))).toEqual(given.dataSync());
    expect(() => times(matrix(2, 6, 1), pack(given) as PackedMatrix)).toThrow(
      'rows of 6 values do not go with a matrix of 5',
    );
  });
});

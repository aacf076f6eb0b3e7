import * as tf from '../tf.ts';
import { TILES } from './engine-product.ts';
import { compute, engineMemory } from './heap.ts';
import { threadsOf } from './threads/threads.ts';

/** Multiplications of a chunk. */
const CHUNK_TERMS = 2 ** 18;

/**
 * x^T y, summed over the rows in order: x [rows, m], y [rows, n] -> [m, n]. Gradients of weights are such products. The engine's own wants either operand in another
 * order first, which for the narrow matrices of an adapter takes longer than the product.
 */
export function transposedProduct(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor2D {
  const [left, right] = [padded(x, TILES.float.rows), padded(y, TILES.float.columns)];
  const [[rows, m], n] = [left.shape, right.shape[1]];
  const threads = threadsOf(engineMemory());
  // Cut along the longer side.
  const [length, across, unit] = m >= n ? [m, n, TILES.float.rows] : [n, m, TILES.float.columns];
  const perChunk = unit * Math.min(length / unit, Math.ceil(CHUNK_TERMS / (unit * across * Math.max(1, rows))));
  const whole = compute([left, right], [m, n], (out, a, b) => {
    out.fill(0);
    const parameters = [a!.byteOffset, b!.byteOffset, out.byteOffset, rows, m, n, perChunk];
    threads.run('transposedProduct', parameters, Math.ceil(length / perChunk));
  }) as tf.Tensor2D;
  return m === x.shape[1] && n === y.shape[1] ? whole : tf.slice(whole, [0, 0], [x.shape[1], y.shape[1]]);
}

/** With columns of zeros up to a multiple of `unit`. */
function padded(matrix: tf.Tensor2D, unit: number): tf.Tensor2D {
  const missing = -matrix.shape[1] & (unit - 1);
  return missing === 0
    ? matrix
    : tf.pad2d(matrix, [
        [0, 0],
        [0, missing],
      ]);
}

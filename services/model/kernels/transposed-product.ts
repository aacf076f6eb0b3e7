import * as tf from '../tf.ts';
import { engineProduct, TILES } from './engine-product.ts';
import { compute, engineMemory } from './heap.ts';

/** Rows that are added at a time, so that what the next sums read of them is still in the cache. */
const ROWS_AT_A_TIME = 32;

/**
 * x^T y, summed over the rows in order: x [rows, m], y [rows, n] -> [m, n]. Gradients of weights are such products. The engine's own wants either operand in another
 * order first, which for the narrow matrices of an adapter takes longer than the product.
 */
export function transposedProduct(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor2D {
  const [left, right] = [padded(x, TILES.float.rows), padded(y, TILES.float.columns)];
  const [[rows, m], n] = [left.shape, right.shape[1]];
  const product = engineProduct(engineMemory(), 'float');
  const whole = compute([left, right], [m, n], (out, a, b) => {
    out.fill(0);
    const sums = { at: out.byteOffset, row: 4 * n, column: 4 };
    for (let row = 0; row < rows; row += ROWS_AT_A_TIME) {
      const columnsOfX = { at: a!.byteOffset + 4 * m * row, row: 4, column: 4 * m };
      const rowsOfY = { at: b!.byteOffset + 4 * n * row, row: 4 * n, column: 4 };
      product(columnsOfX, rowsOfY, sums, { rows: m, inner: Math.min(ROWS_AT_A_TIME, rows - row), columns: n });
    }
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

import type * as tf from '../../tf.ts';
import { matMul } from './arithmetic.ts';
import { run } from './tensorflow.ts';
import type { Lies } from './weights.ts';

/** Products with a weight. */
export interface Products {
  /** Of rows with a matrix as it lies, or turned: [rows, in] -> [rows, out]. */
  times(x: tf.Tensor2D, matrix: tf.Tensor2D, lies: Lies): tf.Tensor2D;
  /** a^T b: the gradient of a matrix, from what it was multiplied with and the gradient of the product. */
  gradient(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D;
}

export const composedProducts: Products = {
  times: (x, matrix, lies) => matMul(x, matrix, lies === 'turned' ? 'b' : 'neither'),
  gradient: (a, b) => matMul(a, b, 'a'),
};

/** By operations of our own, whose threads are awake already. */
export const fusedProducts: Products = {
  times: (x, matrix, lies) => run(lies === 'turned' ? 'TandemTurnedProduct' : 'TandemProduct', [x, matrix]),
  gradient: (a, b) => run('TandemWeightGrad', [a, b]),
};

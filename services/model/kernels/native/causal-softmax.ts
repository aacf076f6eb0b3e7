import type * as tf from '../../tf.ts';
import { add, multiply, shaped, subtract } from './arithmetic.ts';
import { causalMask } from './causal-mask.ts';
import { run } from './tensorflow.ts';

/**
 * Softmax of the scores of a block of consecutive queries, [heads, group * queries, keys], where the keys end with the last query's own: each query sees
 * those up to its own alone.
 */
export function causalSoftmax(scores: tf.Tensor3D, queries: number): tf.Tensor3D {
  const [heads, rows, keys] = scores.shape;
  const perHead = shaped<tf.Tensor3D>(scores, [(heads * rows) / queries, queries, keys]);
  const masked = add(perHead, causalMask(keys - queries, keys));
  return shaped(run('Softmax', [masked]), scores.shape);
}

/**
 * Gradient of the scores.
 * @param drift sum of each row of softmax times its gradient, [heads, group * queries, 1]
 */
export function causalSoftmaxGradient(weights: tf.Tensor3D, dWeights: tf.Tensor3D, drift: tf.Tensor3D): tf.Tensor3D {
  return multiply(weights, subtract(dWeights, drift));
}

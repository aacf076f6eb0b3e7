import * as tf from '@tensorflow/tfjs';
import type { Kernels } from '../../../services/model/kernels/kernels.ts';

/** The first fits the cache of a core; the second is enough work for many. */
const SIZES = [384, 1024];
/** For each size: single products of a few milliseconds say what else the machine does. */
const MILLISECONDS = 1000;

/** Floating point operations per second of the engine's product with a weight, at its best. */
export function matmulPeak({ weights }: Kernels): number {
  // On tfjs's cpu backend the larger one takes seconds, and is no faster.
  const sizes = tf.getBackend() === 'cpu' ? SIZES.slice(0, 1) : SIZES;
  return Math.max(...sizes.map((size) => peakOf(weights, size)));
}

function peakOf(weights: Kernels['weights'], size: number): number {
  const [a, b] = [tf.ones<tf.Rank.R2>([size, size]), tf.ones<tf.Rank.R2>([size, size])];
  const weight = weights.frozen(b, undefined);
  let best = 0;
  for (const begun = performance.now(); performance.now() - begun < MILLISECONDS; ) {
    const start = performance.now();
    // One value of it is waited for: a GPU goes on by itself.
    tf.tidy(() => tf.slice(weight.times(a), [0, 0], [1, 1]).dataSync());
    best = Math.max(best, (2 * size ** 3) / ((performance.now() - start) / 1000));
  }
  weight.dispose();
  // Some keep the matrix, some take it over.
  tf.dispose([a, b]);
  return best;
}

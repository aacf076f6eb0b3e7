import * as tf from '@tensorflow/tfjs';

const SIZE = 384;
const TRIALS = 7;

/** Floating point operations per second of the engine's own matrix product at its best, in one thread: of square matrices that fit the cache. */
export function matmulPeak(): number {
  const [a, b] = [tf.ones<tf.Rank.R2>([SIZE, SIZE]), tf.ones<tf.Rank.R2>([SIZE, SIZE])];
  let best = 0;
  for (let trial = 0; trial < TRIALS; trial++) {
    const start = performance.now();
    tf.matMul(a, b).dispose();
    best = Math.max(best, (2 * SIZE ** 3) / ((performance.now() - start) / 1000));
  }
  tf.dispose([a, b]);
  return best;
}

import * as tf from '../tf.ts';

/** Waits until all that TensorFlow was asked for is done: operations come back before they are, one after another. */
export function settle(): void {
  tf.tidy(() => tf.neg(tf.scalar(0)).dataSync());
}

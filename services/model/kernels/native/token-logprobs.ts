import * as tf from '../../tf.ts';
import { checkIndices } from '../check-indices.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { add, multiply, shaped, subtract, summed } from './arithmetic.ts';
import { listOf, run, runMany, scalar } from './tensorflow.ts';

/**
 * One operation gives both the losses, -log p of the targets, and their gradient, softmax less one-hot. Entropy follows from them:
 * with z the logits, H = loss - sum of gradient * z.
 */
export const tokenLogprobs: Kernels['tokenLogprobs'] = (logits, targets, temperature) => {
  checkIndices(targets, logits.shape[1], 'target token');
  const inverse = scalar(1 / temperature);
  const both = differentiable<tf.Tensor2D>(
    [logits],
    () => {
      const scaled = temperature === 1 ? logits : multiply(logits, inverse);
      const [loss, gradient] = runMany(
        'SparseSoftmaxCrossEntropyWithLogits',
        [scaled, tf.tensor1d(targets, 'int32')],
        2,
      ) as [tf.Tensor1D, tf.Tensor2D];
      const entropy = subtract(loss, summed(multiply(gradient, scaled), 1));
      return { value: run('Pack', [run('Neg', [loss]), entropy], listOf(2)), saved: [scaled, gradient, loss, entropy] };
    },
    (dy, saved) => {
      const [scaled, gradient, loss, entropy] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D, tf.Tensor1D];
      const values = dy.dataSync() as Float32Array;
      const [dLogprob, dEntropy] = [values.subarray(0, targets.length), values.subarray(targets.length)];
      const ofLogprobs = multiply(gradient, negatedColumn(dLogprob));
      // Not one of the objectives follows entropy: it is for the log.
      const dScaled = dEntropy.every((value) => value === 0)
        ? ofLogprobs
        : add(ofLogprobs, multiply(entropyGradient(scaled, gradient, loss, entropy, targets), negatedColumn(dEntropy)));
      return [temperature === 1 ? dScaled : multiply(dScaled, inverse)];
    },
  );
  const [logprobs, entropy] = tf.unstack(both) as [tf.Tensor1D, tf.Tensor1D];
  return { logprobs, entropy };
};

/** p (log p + H), which is minus the gradient of H. */
function entropyGradient(
  scaled: tf.Tensor2D,
  gradient: tf.Tensor2D,
  loss: tf.Tensor1D,
  entropy: tf.Tensor1D,
  targets: Int32Array,
): tf.Tensor2D {
  const chosen = tf.oneHot(tf.tensor1d(targets, 'int32'), scaled.shape[1]).toFloat() as tf.Tensor2D;
  const ofTargets = summed<tf.Tensor1D>(multiply(scaled, chosen), 1);
  // log p = z - z of the target - loss, and p is the gradient with the target's one put back.
  const shift = column(subtract(entropy, add(ofTargets, loss)));
  return multiply(add(gradient, chosen), add(scaled, shift));
}

function column(values: tf.Tensor1D): tf.Tensor2D {
  return shaped<tf.Tensor2D>(values, [-1, 1]);
}

function negatedColumn(values: Float32Array): tf.Tensor2D {
  return tf.tensor2d(
    values.map((value) => -value),
    [values.length, 1],
  );
}

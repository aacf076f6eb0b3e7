import type { Engine } from '../../backend.ts';
import * as tf from '../../tf.ts';
import { checkIndices } from '../check-indices.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { add, multiply, shaped, subtract, summed } from './arithmetic.ts';
import { listOf, run, runMany, scalar } from './tensorflow.ts';

/**
 * One operation gives both the losses, -log p of the targets, and their gradient, softmax less one-hot. Entropy follows from them:
 * with z the logits, H = loss - sum of gradient * z. Of the two as wide as the vocabulary the gradient alone is kept.
 */
export function tokenLogprobs(
  engine: Engine,
  ...[logits, targets, temperature]: Parameters<Kernels['tokenLogprobs']>
): ReturnType<Kernels['tokenLogprobs']> {
  checkIndices(targets, logits.shape[1], 'target token');
  const bytes = Float32Array.BYTES_PER_ELEMENT * logits.size;
  const divisions = temperature === 1 ? 0 : 1;
  // The gradient, and its product with the logits.
  engine.checkMemory((2 + divisions) * bytes);
  const divided = (values: tf.Tensor2D) =>
    temperature === 1 ? values : multiply<tf.Tensor2D>(values, scalar(1 / temperature));
  const both = differentiable<tf.Tensor2D>(
    [logits],
    () => {
      const scaled = divided(logits);
      const [loss, gradient] = runMany(
        'SparseSoftmaxCrossEntropyWithLogits',
        [scaled, tf.tensor1d(targets, 'int32')],
        2,
      ) as [tf.Tensor1D, tf.Tensor2D];
      const entropy = subtract(loss, summed(multiply(gradient, scaled), 1));
      return { value: run('Pack', [run('Neg', [loss]), entropy], listOf(2)), saved: [gradient, entropy] };
    },
    (dy, saved) => {
      const [gradient, entropy] = saved as [tf.Tensor2D, tf.Tensor1D];
      const values = dy.dataSync() as Float32Array;
      const [dLogprob, dEntropy] = [values.subarray(0, targets.length), values.subarray(targets.length)];
      // Not one of the objectives follows entropy: it is for the log.
      const followed = dEntropy.some((value) => value !== 0);
      engine.checkMemory((1 + divisions + (followed ? ENTROPY_TENSORS : 0)) * bytes);
      const ofLogprobs = multiply(gradient, negatedColumn(dLogprob));
      const ofEntropy = () => multiply(entropyGradient(gradient, entropy, targets), negatedColumn(dEntropy));
      return [divided(followed ? add(ofLogprobs, ofEntropy()) : ofLogprobs)];
    },
  );
  const [logprobs, entropy] = tf.unstack(both) as [tf.Tensor1D, tf.Tensor1D];
  return { logprobs, entropy };
}

/** That the entropy's gradient makes on its way, and in its sum with the other one. */
const ENTROPY_TENSORS = 8;

/** p (log p + H), which is minus the gradient of H; 0 where p is. */
function entropyGradient(gradient: tf.Tensor2D, entropy: tf.Tensor1D, targets: Int32Array): tf.Tensor2D {
  const chosen = tf.oneHot(tf.tensor1d(targets, 'int32'), gradient.shape[1]).toFloat() as tf.Tensor2D;
  // The gradient with the target's one put back.
  const p = add(gradient, chosen);
  return add(run('Xlogy', [p, p]), multiply(p, shaped<tf.Tensor2D>(entropy, [-1, 1])));
}

function negatedColumn(values: Float32Array): tf.Tensor2D {
  return tf.tensor2d(
    values.map((value) => -value),
    [values.length, 1],
  );
}

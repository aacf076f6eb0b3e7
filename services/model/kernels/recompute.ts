import * as tf from '../tf.ts';
import { differentiable } from './differentiable.ts';

/**
 * Computes `body(x)` and keeps nothing of it but x: the backward pass computes it again, and then its gradients (Chen et al.: "Training
 * Deep Nets with Sublinear Memory Cost", 2016). What `body` gives must be a function of x and `variables` alone; value and gradients are
 * then the same bits as without.
 *
 * @param variables what `body` reads that gradients flow to, x aside. Each must have part in the result, or there is no gradient to give.
 * @param options.constantInput nothing that is trained has part in x, so its gradient is not worked out
 */
export function recomputed<T extends tf.Tensor>(
  x: tf.Tensor2D,
  variables: readonly tf.Tensor[],
  body: (x: tf.Tensor2D) => T,
  options: { readonly constantInput?: boolean } = {},
): T {
  const followed = options.constantInput ? [] : [x];
  return differentiable<T>(
    [...followed, ...variables],
    () => ({ value: body(x), saved: [x] }),
    (dy, [kept]) => {
      const input = kept as tf.Tensor2D;
      return nestedGradients(() => body(input), [...(options.constantInput ? [] : [input]), ...variables], dy);
    },
  );
}

/** Gradients worked out inside a backward pass. tfjs has one tape and drops it afterwards, and the outer pass still needs its own. */
function nestedGradients(body: () => tf.Tensor, inputs: readonly tf.Tensor[], dy: tf.Tensor): tf.Tensor[] {
  const { state } = tf.engine() as unknown as { readonly state: { activeTape: unknown } };
  const outer = state.activeTape;
  try {
    return tf.engine().gradients(body, [...inputs], dy).grads;
  } finally {
    state.activeTape = outer;
  }
}

import * as tf from '../tf.ts';

/**
 * `tf.customGrad` with its types: `forward` gives the value and the tensors that `backward` needs again;
 * `backward` gives one gradient per input. Closures must not capture other tensors: the engine frees those after the forward pass.
 */
export function differentiable<T extends tf.Tensor>(
  inputs: readonly tf.Tensor[],
  forward: () => { readonly value: T; readonly saved: readonly tf.Tensor[] },
  backward: (dy: T, saved: readonly tf.Tensor[]) => tf.Tensor[],
): T {
  const op = tf.customGrad((...args) => {
    const save = args.at(-1) as tf.GradSaveFunc;
    const { value, saved } = forward();
    save([...saved]);
    return {
      value,
      // Without a scope of its own all that a backward pass makes on its way would live to the end of the whole pass.
      gradFunc: (dy: tf.Tensor, kept: tf.Tensor[]) => tf.tidy(() => backward(dy as T, kept)),
    };
  });
  return op(...inputs) as T;
}

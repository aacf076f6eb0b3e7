import type { Engine } from '../backend.ts';
import * as tf from '../tf.ts';
import { differentiable } from './differentiable.ts';
import type { LinearOptions, LinearWeight, LoraTerm } from './kernels.ts';
import { transposedProduct } from './transposed-product.ts';

/**
 * y = x W + b + scale * (x * mask) A B, with gradients for x, A, B and, if they are trainable, W and b.
 *
 * Every product of the engine's is a plain [m, k] x [k, n]: tfjs's wasm backend is 15 times slower on transposed operands, which its own
 * gradients use, so the transposes here are explicit, a frozen weight's is made once, and gradients of weights are products of our own.
 */
export function linear(
  engine: Engine,
  x: tf.Tensor2D,
  weight: LinearWeight,
  term?: LoraTerm,
  options: LinearOptions = {},
): tf.Tensor2D {
  const followed = options.constantInput ? [] : [x];
  const adapted = term ? [term.a, term.b] : [];
  const [rows, inner] = x.shape;
  const outer = weight.shape[1];
  // The sum of LoRA and base is a second output-sized tensor; the low-rank ones are small beside it.
  engine.checkMemory(...twice(rows, outer), ...weight.scratch('times'));
  const { trained } = weight;
  return differentiable(
    [...followed, ...trained, ...adapted],
    () => {
      const base = withBias(weight.times(x), weight.bias);
      if (!term) return { value: base, saved: [x] };
      const input = term.mask ? tf.mul(x, term.mask) : x;
      const low: tf.Tensor2D = tf.mul(tf.matMul<tf.Tensor2D>(input, term.a), term.scale);
      const value = tf.add(base, tf.matMul(low, term.b)) as tf.Tensor2D;
      return { value, saved: [x, low, input, ...(term.mask ? [term.mask] : [])] };
    },
    (dy, saved) => {
      const passing = followed.length > 0 ? weight.scratch('timesTransposed') : [];
      engine.checkMemory(...twice(rows, inner), ...(trained.length > 0 ? twice(inner, outer) : []), ...passing);
      const dxBase = followed.map(() => weight.timesTransposed(dy));
      const dTrained = weight.gradients(saved[0] as tf.Tensor2D, dy);
      if (!term) return [...dxBase, ...dTrained];
      const [, low, input, mask] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D | undefined];
      const dLow = tf.mul(tf.matMul(dy, tf.transpose(term.b)), term.scale) as tf.Tensor2D;
      const dx = dxBase.map((base) => {
        const dInput = tf.matMul(dLow, tf.transpose(term.a));
        return tf.add(base, mask ? tf.mul(dInput, mask) : dInput);
      });
      return [...dx, ...dTrained, transposedProduct(input, dLow), transposedProduct(low, dy)];
    },
  );
}

/** Bytes of two tensors of a size. */
function twice(rows: number, columns: number): number[] {
  const bytes = Float32Array.BYTES_PER_ELEMENT * rows * columns;
  return [bytes, bytes];
}

function withBias(product: tf.Tensor2D, bias: tf.Tensor1D | undefined): tf.Tensor2D {
  return bias ? tf.add(product, bias) : product;
}

import type { Engine } from '../backend.ts';
import * as tf from '../tf.ts';
import { differentiable } from './differentiable.ts';
import type { LinearOptions, LinearWeight, LoraTerm } from './kernels.ts';
import { pack, times, timesTransposed } from './packed-matrix.ts';
import { transposedProduct } from './transposed-product.ts';

/**
 * y = x W + b + scale * (x * mask) A B, with gradients for x, A, B and, if they are trainable, W and b.
 *
 * All products are our own: tfjs's wasm backend is 15 times slower on transposed operands, which its own gradients use, takes as long to put the narrow matrices of
 * an adapter in order as to multiply by them, and has one thread.
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
  // What has the low rank is small beside the output; a bias makes a second one.
  engine.checkMemory(...twice(rows, outer), ...weight.scratch('times'));
  const { trained } = weight;
  return differentiable(
    [...followed, ...trained, ...adapted],
    () => {
      const base = withBias(weight.times(x), weight.bias);
      if (!term) return { value: base, saved: [x] };
      const input: tf.Tensor2D = term.mask ? tf.mul(x, term.mask) : x;
      const low = times(input, pack(term.a), { scale: term.scale });
      const value = times(low, pack(term.b), { onto: base });
      return { value, saved: [x, low, input, ...(term.mask ? [term.mask] : [])] };
    },
    (dy, saved) => {
      const passing = followed.length > 0 ? weight.scratch('timesTransposed') : [];
      engine.checkMemory(...twice(rows, inner), ...(trained.length > 0 ? twice(inner, outer) : []), ...passing);
      const dxBase = followed.map(() => weight.timesTransposed(dy));
      const dTrained = weight.gradients(saved[0] as tf.Tensor2D, dy);
      if (!term) return [...dxBase, ...dTrained];
      const [, low, input, mask] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D | undefined];
      const dLow = timesTransposed(dy, pack(term.b), { scale: term.scale });
      const dx = dxBase.map((base) =>
        mask
          ? tf.add(base, tf.mul(timesTransposed(dLow, pack(term.a)), mask))
          : timesTransposed(dLow, pack(term.a), { onto: base }),
      );
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

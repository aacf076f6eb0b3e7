import type * as tf from '../../tf.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { add, multiply, shaped, subtract } from './arithmetic.ts';
import { keptAngles } from './kept-angles.ts';
import { integers, run } from './tensorflow.ts';

/** Cosines, and sines that are negative in the first half of a head: [rows, 1, headDim]. */
const angles = keptAngles(
  (rows, headDim) => [rows, 1, headDim],
  [
    (out, at, cosines) => {
      out.set(cosines, at);
      out.set(cosines, at + cosines.length);
    },
    (out, at, _, sines) => {
      for (const [i, sine] of sines.entries()) out[at + i] = -sine;
      out.set(sines, at + sines.length);
    },
  ],
);

/** x cos + turned(x) sin, where `turned` swaps the halves of each head and sin is negative in the first half. */
export const rope: Kernels['rope'] = (x, positions, table) => {
  const { headDim } = table;
  const heads = x.shape[1] / headDim;
  const asHeads = (values: tf.Tensor2D) => shaped<tf.Tensor3D>(values, [-1, heads, headDim]);
  const swapped = (values: tf.Tensor3D) => run<tf.Tensor3D>('Roll', [values, integers([headDim / 2]), integers([2])]);
  return differentiable(
    [x],
    () => {
      const [cos, sin] = angles(positions, table);
      const values = asHeads(x);
      const value = add(multiply(values, cos), multiply(swapped(values), sin));
      return { value: shaped<tf.Tensor2D>(value, x.shape), saved: [] };
    },
    (dy) => {
      const [cos, sin] = angles(positions, table);
      const values = asHeads(dy);
      const dx = subtract(multiply(values, cos), multiply(swapped(values), sin));
      return [shaped<tf.Tensor2D>(dx, x.shape)];
    },
  );
};

import * as tf from '../../tf.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import type { RopeTable } from '../rope.ts';
import { add, multiply, shaped, subtract } from './arithmetic.ts';
import { integers, run } from './tensorflow.ts';

/** x cos + turned(x) sin, where `turned` swaps the halves of each head and sin is negative in the first half. */
export const rope: Kernels['rope'] = (x, positions, table) => {
  const { headDim } = table;
  const heads = x.shape[1] / headDim;
  const asHeads = (values: tf.Tensor2D) => shaped<tf.Tensor3D>(values, [-1, heads, headDim]);
  const swapped = (values: tf.Tensor3D) => run<tf.Tensor3D>('Roll', [values, integers([headDim / 2]), integers([2])]);
  return differentiable(
    [x],
    () => {
      const { cos, sin } = angles(positions, table);
      const values = asHeads(x);
      const value = add(multiply(values, cos), multiply(swapped(values), sin));
      return { value: shaped<tf.Tensor2D>(value, x.shape), saved: [] };
    },
    (dy) => {
      const { cos, sin } = angles(positions, table);
      const values = asHeads(dy);
      const dx = subtract(multiply(values, cos), multiply(swapped(values), sin));
      return [shaped<tf.Tensor2D>(dx, x.shape)];
    },
  );
};

interface Angles {
  readonly positions: Int32Array;
  readonly table: RopeTable;
  /** [rows, 1, headDim] */
  readonly cos: tf.Tensor;
  readonly sin: tf.Tensor;
}

let last: Angles | undefined;

/** Those of the batch at hand are kept: every layer asks for the same. */
function angles(positions: Int32Array, table: RopeTable): Angles {
  if (last?.positions === positions && last.table === table) return last;
  last?.cos.dispose();
  last?.sin.dispose();
  const half = table.headDim / 2;
  const { cos, sin } = table.upTo(positions.reduce((high, position) => Math.max(high, position), 0) + 1);
  const [cosines, sines] = [cos, sin].map((values, which) => {
    const out = new Float32Array(positions.length * table.headDim);
    for (const [row, position] of positions.entries()) {
      for (let i = 0; i < half; i++) {
        const value = values[position * half + i]!;
        out[row * 2 * half + i] = which === 0 ? value : -value;
        out[row * 2 * half + half + i] = value;
      }
    }
    return tf.keep(tf.tensor3d(out, [positions.length, 1, table.headDim]));
  });
  last = { positions, table, cos: cosines!, sin: sines! };
  return last;
}

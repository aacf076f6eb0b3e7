import * as tf from '../../tf.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { add, matMul, multiply, shaped, subtract } from './arithmetic.ts';
import { column, run, scalar } from './tensorflow.ts';

/**
 * x / rms(x) * weight of each consecutive group of weight.size values. Sums over a group are products with a column, which TensorFlow
 * does three times faster than its own sums.
 */
export const rmsNorm: Kernels['rmsNorm'] = (x, weight, eps) => {
  const trained = weight instanceof tf.Variable;
  const size = weight.size;
  const grouped = (values: tf.Tensor2D) =>
    values.shape[1] === size ? values : shaped<tf.Tensor2D>(values, [-1, size]);
  const asGiven = (values: tf.Tensor2D) => (x.shape[1] === size ? values : shaped<tf.Tensor2D>(values, x.shape));
  return differentiable(
    trained ? [x, weight] : [x],
    () => {
      const groups = grouped(x);
      const meanSquare = matMul(run('Square', [groups]), column(size, 1 / size));
      const inverse = run('Rsqrt', [add(meanSquare, scalar(eps))]);
      return { value: asGiven(multiply(multiply(groups, inverse), weight)), saved: [groups, inverse] };
    },
    (dy, saved) => {
      const [groups, inverse] = saved as [tf.Tensor2D, tf.Tensor2D];
      const dGroups = grouped(dy);
      const dScaled = multiply(dGroups, weight);
      // RsqrtGrad(r, s) is -r^3 s / 2.
      const pull = run('RsqrtGrad', [inverse, matMul(multiply(dScaled, groups), column(size, -2 / size))]);
      const dx = subtract(multiply(dScaled, inverse), multiply(groups, pull));
      return [asGiven(dx), ...(trained ? [weightGradient(groups, inverse, dGroups)] : [])];
    },
  );
};

function weightGradient(groups: tf.Tensor2D, inverse: tf.Tensor2D, dGroups: tf.Tensor2D): tf.Tensor1D {
  return shaped(matMul(inverse, multiply(dGroups, groups), 'a'), [groups.shape[1]]);
}

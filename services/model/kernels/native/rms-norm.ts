import * as tf from '@tensorflow/tfjs';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { add, matMul, multiply, shaped, subtract } from './arithmetic.ts';
import { run, scalar } from './tensorflow.ts';

/**
 * x / rms(x) * weight of each consecutive group of weight.size values. Sums over a group are products with a column, which TensorFlow
 * does three times faster than its own sums.
 */
export const rmsNorm: Kernels['rmsNorm'] = (x, weight, eps) => {
  const trained = weight instanceof tf.Variable;
  const size = weight.size;
  const column = () => shaped<tf.Tensor2D>(weight, [size, 1]);
  const grouped = (values: tf.Tensor2D) =>
    values.shape[1] === size ? values : shaped<tf.Tensor2D>(values, [-1, size]);
  const asGiven = (values: tf.Tensor2D) => (x.shape[1] === size ? values : shaped<tf.Tensor2D>(values, x.shape));
  return differentiable(
    trained ? [x, weight] : [x],
    () => {
      const groups = grouped(x);
      const meanSquare = matMul(run('Square', [groups]), tf.fill([size, 1], 1 / size));
      const inverse = run('Rsqrt', [add(meanSquare, scalar(eps))]);
      return { value: asGiven(multiply(multiply(groups, inverse), weight)), saved: [groups, inverse] };
    },
    (dy, saved) => {
      const [groups, inverse] = saved as [tf.Tensor2D, tf.Tensor2D];
      const dGroups = grouped(dy);
      const products = multiply(dGroups, groups);
      const cube = multiply(run('Square', [inverse]), inverse);
      const pull = multiply(multiply(matMul(products, column()), cube), scalar(1 / size));
      const dx = subtract(multiply(multiply(dGroups, weight), inverse), multiply(groups, pull));
      const dWeight = trained ? [shaped<tf.Tensor1D>(matMul(inverse, products, 'a'), [size])] : [];
      return [asGiven(dx), ...dWeight];
    },
  );
};

import type * as tf from '../../tf.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { add, matMul, multiply } from './arithmetic.ts';
import { run, scalar } from './tensorflow.ts';

/** y = x W + b + scale * (x * mask) A B, with gradients for x, A, B and, if they are trained, W and b. */
export const linear: Kernels['linear'] = (x, weight, term, options = {}) => {
  const followed = options.constantInput ? [] : [x];
  const adapted = term ? [term.a, term.b] : [];
  return differentiable(
    [...followed, ...weight.trained, ...adapted],
    () => {
      const product = weight.times(x);
      const base = weight.bias ? run('BiasAdd', [product, weight.bias]) : product;
      if (!term) return { value: base, saved: [x] };
      const input = term.mask ? multiply(x, term.mask) : x;
      const low = multiply(matMul(input, term.a), scalar(term.scale));
      const saved = [x, low, input, ...(term.mask ? [term.mask] : [])];
      return { value: add(base, matMul(low, term.b)), saved };
    },
    (dy, saved) => {
      const dxBase = followed.map(() => weight.timesTransposed(dy));
      const dTrained = weight.gradients(saved[0] as tf.Tensor2D, dy);
      if (!term) return [...dxBase, ...dTrained];
      const [, low, input, mask] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D | undefined];
      const dLow = multiply(matMul(dy, term.b, 'b'), scalar(term.scale));
      const dx = dxBase.map((base) => {
        const dInput = matMul(dLow, term.a, 'b');
        return add(base, mask ? multiply(dInput, mask) : dInput);
      });
      return [...dx, ...dTrained, matMul(input, dLow, 'a'), matMul(low, dy, 'a')];
    },
  );
};

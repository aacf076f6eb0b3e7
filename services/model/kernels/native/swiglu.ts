import type * as tf from '../../tf.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { add, multiply } from './arithmetic.ts';
import { run } from './tensorflow.ts';

export const swiglu: Kernels['swiglu'] = (gate, up) =>
  differentiable(
    [gate, up],
    () => {
      const sigmoid = run('Sigmoid', [gate]);
      const silu = multiply(gate, sigmoid);
      return { value: multiply(silu, up), saved: [gate, up, sigmoid, silu] };
    },
    (dy, saved) => {
      const [g, u, sigmoid, silu] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
      // SigmoidGrad(s, g) is g s (1 - s), so this is the derivative of g s.
      const slope = add(sigmoid, run('SigmoidGrad', [sigmoid, g]));
      return [multiply(multiply(dy, u), slope), multiply(dy, silu)];
    },
  );

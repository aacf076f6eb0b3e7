import type { Engine } from '../../backend.ts';
import type * as tf from '../../tf.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels, LoraTerm } from '../kernels.ts';
import { multiply } from './arithmetic.ts';
import { linear } from './linear.ts';
import { nothing, real, run, runMany, whole } from './tensorflow.ts';
import { isLent, type LentWeight, type Lies } from './weights.ts';

/** As `linear`, a projection and its adapter as one operation forward and two backward. */
export function fusedLinear(engine: Engine, ...[x, weight, term, options = {}]: Parameters<Kernels['linear']>) {
  const plain = !term || options.constantInput || weight.trained.length > 0 || !isLent(weight);
  return plain ? linear(engine, x, weight, term, options) : adapted(engine, x, weight, term);
}

function adapted(engine: Engine, x: tf.Tensor2D, weight: LentWeight, term: LoraTerm): tf.Tensor2D {
  const [ofInput, ofOutput] = weight.shape.map((width) => Float32Array.BYTES_PER_ELEMENT * x.shape[0] * width) as [
    number,
    number,
  ];
  const { a, b, mask } = term;
  // The product, its sum with the bias, the input after its dropout. What has the low rank is small.
  engine.checkMemory(ofOutput * (weight.bias ? 2 : 1), mask ? ofInput : 0, ...weight.scratch('times'));
  const attributes = (lies: Lies) => [real('scale', term.scale), whole('turned', lies === 'turned' ? 1 : 0)];
  return differentiable(
    [x, a, b],
    () => {
      const input = mask ? multiply(x, mask) : x;
      const [product, low] = weight.lend((matrix, lies) =>
        runMany('TandemAdapted', [x, matrix, input, a, b], 2, attributes(lies)),
      ) as [tf.Tensor2D, tf.Tensor2D];
      const value = weight.bias ? run('BiasAdd', [product, weight.bias]) : product;
      return { value, saved: [input, low, ...(mask ? [mask] : [])] };
    },
    (dy, [input, low, kept]) => {
      engine.checkMemory(ofInput, ...weight.scratch('timesTransposed'));
      const [dx, dLow] = weight.lend((matrix, lies) =>
        runMany('TandemAdaptedGrad', [dy, matrix, a, b, kept ?? nothing()], 2, attributes(lies)),
      ) as [tf.Tensor2D, tf.Tensor2D];
      return [dx, ...runMany('TandemAdapterGrad', [input!, dLow, low!, dy], 2)];
    },
  );
}

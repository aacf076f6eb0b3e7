import { dequantiseNf4, type Nf4Tensor } from '../nf4.ts';
import type * as tf from '../tf.ts';
import { passing } from './float-linear.ts';
import type { OwnedLinear } from './kernels.ts';
import { packedBytes, packFrom, scratchBytes, times, timesTransposed } from './packed-matrix.ts';
import { PANEL } from './panel-code.ts';

/**
 * A frozen projection that is kept in 4 bits outside the engine's memory. Each product unpacks the matrix, and frees it before it returns:
 * of all such projections one at a time exists in float32.
 */
export function nf4Linear(weight: Nf4Tensor, bias: tf.Tensor1D | undefined): OwnedLinear {
  const [outer, inner] = [weight.shape[0]!, weight.shape[1]!];
  const inFloats = () => {
    const columns = new Float32Array(PANEL * inner);
    return packFrom(inner, outer, (first, count) => {
      const values = columns.subarray(0, count * inner);
      dequantiseNf4(weight, first * inner, values);
      return values;
    });
  };
  return {
    shape: [inner, outer],
    ...(bias && { bias }),
    trained: [],
    scratch: (product) => [packedBytes(inner, outer), ...scratchBytes(inner, outer, product)],
    times: (x) => passing(inFloats(), (packed) => times(x, packed)),
    timesTransposed: (dy) => passing(inFloats(), (packed) => timesTransposed(dy, packed)),
    gradients: () => [],
    dispose: () => undefined,
  };
}

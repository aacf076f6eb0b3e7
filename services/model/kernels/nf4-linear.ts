import { dequantiseNf4, type Nf4Tensor } from '../nf4.ts';
import * as tf from '../tf.ts';
import { compute } from './heap.ts';
import type { OwnedLinear } from './kernels.ts';

/** Rows that are transposed together: their values are written to neighbouring places. */
const TILE = 16;

/**
 * A frozen projection that is kept in 4 bits outside the engine's memory. Each product unpacks the matrix, and frees it before it returns:
 * of all such projections one at a time exists in float32.
 */
export function nf4Linear(weight: Nf4Tensor, bias: tf.Tensor1D | undefined): OwnedLinear {
  const [outer, inner] = [weight.shape[0]!, weight.shape[1]!];
  const bytes = Float32Array.BYTES_PER_ELEMENT * inner * outer;
  const multiply = (x: tf.Tensor2D, matrix: tf.Tensor): tf.Tensor2D => {
    const product = tf.matMul(x, matrix as tf.Tensor2D) as tf.Tensor2D;
    matrix.dispose();
    return product;
  };
  return {
    shape: [inner, outer],
    ...(bias && { bias }),
    trained: [],
    // The matrix, and the copy of it in another order that the engine makes for its product.
    scratch: () => [bytes, bytes],
    times: (x) =>
      multiply(
        x,
        compute([], [inner, outer], (out) => unpackTransposed(weight, inner, outer, out)),
      ),
    timesTransposed: (dy) =>
      multiply(
        dy,
        compute([], [outer, inner], (out) => dequantiseNf4(weight, 0, out)),
      ),
    gradients: () => [],
    dispose: () => undefined,
  };
}

function unpackTransposed(weight: Nf4Tensor, inner: number, outer: number, out: Float32Array): void {
  const tile = new Float32Array(TILE * inner);
  for (let row = 0; row < outer; row += TILE) {
    const rows = Math.min(TILE, outer - row);
    dequantiseNf4(weight, row * inner, tile.subarray(0, rows * inner));
    for (let column = 0; column < inner; column++) {
      const at = column * outer + row;
      for (let i = 0; i < rows; i++) out[at + i] = tile[i * inner + column]!;
    }
  }
}

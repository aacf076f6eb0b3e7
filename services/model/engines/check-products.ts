import { ModelError } from '../../contracts/model-error.ts';
import * as tf from '../tf.ts';

/**
 * One product against plain arithmetic. On wasm also the property that exactness rests on: a row does not depend on the other rows.
 * @throws ModelError `engine_unavailable`
 */
export function checkProducts(engine: string, expectation: { readonly rowsAlone: boolean }): void {
  const [rows, inner, columns] = [5, 67, 9];
  const left = Float32Array.from({ length: rows * inner }, (_, i) => Math.sin(i * 0.7));
  const right = Float32Array.from({ length: inner * columns }, (_, i) => Math.cos(i * 0.3));
  const [whole, single] = tf.tidy(() => {
    const weights = tf.tensor2d(right, [inner, columns]);
    const multiply = (x: Float32Array) => tf.matMul(tf.tensor2d(x, [x.length / inner, inner]), weights).dataSync();
    return [multiply(left), multiply(left.subarray((rows - 1) * inner))];
  });
  for (let column = 0; column < columns; column++) {
    let expected = 0;
    for (let k = 0; k < inner; k++) expected += left[(rows - 1) * inner + k]! * right[k * columns + column]!;
    const actual = whole[(rows - 1) * columns + column]!;
    if (Math.abs(actual - expected) > TOLERANCE || (expectation.rowsAlone && actual !== single[column])) {
      throw new ModelError(
        'engine_unavailable',
        `the ${engine} engine failed its matrix product check on this machine`,
      );
    }
  }
}

/** Of sums of 67 products of numbers up to 1. GPUs may multiply in TF32 (10 bits), which is found here unless it is switched off. */
const TOLERANCE = 1e-4;

import * as tf from '../../tf.ts';
import { keptTensors } from './kept-tensors.ts';

/** Far below every score, and far from where two of them would overflow. */
const HIDDEN = -1e30;

/** Those of a batch's lengths, which every layer asks for. */
const masks = keptTensors<tf.Tensor2D>(32);

/** What is added to the scores of queries `from` .. `to` and keys 0 .. `to`: [to - from, to], 0 where the key is not after the query. */
export function causalMask(from: number, to: number): tf.Tensor2D {
  return masks(`${from}-${to}`, () => makeMask(from, to));
}

function makeMask(from: number, to: number): tf.Tensor2D {
  const values = new Float32Array((to - from) * to);
  for (let query = from; query < to; query++) {
    const row = (query - from) * to;
    values.fill(HIDDEN, row + query + 1, row + to);
  }
  return tf.tensor2d(values, [to - from, to]);
}

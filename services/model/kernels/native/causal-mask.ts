import * as tf from '../../tf.ts';

/** Far below every score, and far from where two of them would overflow. */
const HIDDEN = -1e30;

/** Masks that are kept: those of a batch's lengths, which every layer asks for. */
const CAPACITY = 32;

const masks = new Map<string, tf.Tensor2D>();

/** What is added to the scores of queries `from` .. `to` and keys 0 .. `to`: [to - from, to], 0 where the key is not after the query. */
export function causalMask(from: number, to: number): tf.Tensor2D {
  const key = `${from}-${to}`;
  const mask = masks.get(key) ?? tf.keep(makeMask(from, to));
  // The last asked for goes last, so the first is the one that was not asked for the longest.
  masks.delete(key);
  masks.set(key, mask);
  const [[oldest, unused]] = masks as unknown as [[string, tf.Tensor2D]];
  if (masks.size > CAPACITY && masks.delete(oldest)) unused.dispose();
  return mask;
}

function makeMask(from: number, to: number): tf.Tensor2D {
  const values = new Float32Array((to - from) * to);
  for (let query = from; query < to; query++) {
    const row = (query - from) * to;
    values.fill(HIDDEN, row + query + 1, row + to);
  }
  return tf.tensor2d(values, [to - from, to]);
}

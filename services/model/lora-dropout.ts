import { fillRandom, type Seed } from './random.ts';
import * as tf from './tf.ts';

/** Where in training a dropout mask belongs. A mask is a function of this, the module, the sequence and the position alone. */
export interface DropoutState {
  readonly seed: Seed;
  readonly step: number;
  /** Number within the step of the batch's first sequence: with it, splitting a step into micro-batches changes no mask. */
  readonly firstSequence?: number;
}

/**
 * The mask of one adapter's input: 0 with probability p, else 1 / (1 - p).
 *
 * @param sequences, positions per row: which sequence of the batch it belongs to, and where in it
 * @returns [rows, width]
 */
export function dropoutMask(
  state: DropoutState,
  module: number,
  rows: { readonly sequences: Int32Array; readonly positions: Int32Array },
  width: number,
  p: number,
): tf.Tensor2D {
  const count = rows.positions.length;
  const mask = new Float32Array(count * width);
  const kept = 1 / (1 - p);
  const threshold = Math.round(p * 0x10000);
  const blocks = Math.ceil(width / 8);
  const words = new Uint32Array(4 * blocks);
  for (let row = 0; row < count; row++) {
    const sequence = (state.firstSequence ?? 0) + rows.sequences[row]!;
    fillRandom(words, state.seed, rows.positions[row]! * blocks, state.step, module, sequence);
    for (let i = 0; i < width; i++) {
      const bits = (words[i >> 1]! >>> ((i & 1) * 16)) & 0xffff;
      mask[row * width + i] = bits < threshold ? 0 : kept;
    }
  }
  return tf.tensor2d(mask, [count, width]);
}

import { deriveSeed, permutation } from '../../model/random.ts';

/** Where in the data training is: whole passes done, and examples used of the current one. */
export interface DataPosition {
  readonly epoch: number;
  readonly offset: number;
}

export interface DataOrder {
  readonly size: number;
  /** Indices of the next `count` examples, fewer at the end of an epoch, and the position after them. */
  take(from: DataPosition, count: number): { readonly indices: Int32Array; readonly next: DataPosition };
}

const HELD_EPOCHS = 2;

/**
 * The order of examples: a function of seed and epoch alone, so a position is all there is to resume from.
 * A batch never spans two epochs.
 */
export function createDataOrder(params: {
  readonly size: number;
  readonly seed: number;
  readonly shuffle: boolean;
  readonly permute?: typeof permutation;
}): DataOrder {
  const { size, seed, shuffle, permute = permutation } = params;
  /** Two: rollouts ahead begin an epoch while steps of the one before it are counted. */
  const held = new Map<number, Int32Array>();

  function orderOf(epoch: number): Int32Array {
    const known = held.get(epoch);
    if (known !== undefined) return known;
    const order = shuffle
      ? permute(size, deriveSeed(seed, 'data-order', epoch))
      : Int32Array.from({ length: size }, (_, i) => i);
    held.set(epoch, order);
    if (held.size > HELD_EPOCHS) held.delete(held.keys().next().value!);
    return order;
  }

  return {
    size,
    take(from, count) {
      const end = Math.min(size, from.offset + count);
      const next = end === size ? { epoch: from.epoch + 1, offset: 0 } : { epoch: from.epoch, offset: end };
      return { indices: orderOf(from.epoch).slice(from.offset, end), next };
    },
  };
}

/** Passes over the data, fractional. */
export function epochsDone(position: DataPosition, size: number): number {
  return position.epoch + position.offset / size;
}

/** Optimizer steps of one epoch; the last batch may be smaller. */
export function stepsPerEpoch(size: number, perStep: number): number {
  return Math.ceil(size / perStep);
}

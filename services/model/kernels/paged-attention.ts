import { type AttentionShape, type AttentionSpan, softmaxInPlace } from './attention.ts';
import type { CachedKeys } from './kernels.ts';
import { addPairs, addRows, pairDots } from './paired-products.ts';
import { rowDots } from './small-products.ts';

/** Working memory of one call. */
interface Scratch {
  /** Two queries, one after the other, in double precision. */
  readonly queries: Float64Array;
  /** Scores, then weights, of the one and of the other. */
  readonly first: Float64Array;
  readonly second: Float64Array;
  /** Weighted sums of values for the one, then for the other. */
  readonly sums: Float64Array;
}

/** What is attended to by one query: rows of one key head, in blocks. */
interface Head {
  readonly cache: CachedKeys;
  /** Where the head begins in a row of keys or values. */
  readonly offset: number;
  readonly stride: number;
  /** How many keys the query sees. */
  readonly seen: number;
}

/**
 * Causal attention of sequences whose keys and values lie in blocks, written to the rows of `out` that the queries have in `q`.
 *
 * Query heads that share keys are computed two at a time, since reading keys is what takes the time. Every sum is in double precision and runs over
 * its terms in order, across blocks: the result has the bits of `plainAttention`.
 */
export function pagedAttention(
  shape: AttentionShape,
  spans: readonly AttentionSpan[],
  caches: readonly CachedKeys[],
  q: Float32Array,
  out: Float32Array,
): void {
  const { heads, kvHeads, headDim } = shape;
  const longest = spans.reduce((length, { keyLength }) => Math.max(length, keyLength), 0);
  const scratch: Scratch = {
    queries: new Float64Array(2 * headDim),
    first: new Float64Array(longest),
    second: new Float64Array(longest),
    sums: new Float64Array(2 * headDim),
  };
  const group = (heads / kvHeads) | 0;
  for (const [i, { queryStart, queryLength, keyLength }] of spans.entries()) {
    for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
      for (let row = 0; row < queryLength; row++) {
        const seen = keyLength - queryLength + row + 1;
        const head = { cache: caches[i]!, offset: kvHead * headDim, stride: kvHeads * headDim, seen };
        let at = ((queryStart + row) * heads + kvHead * group) * headDim;
        let left = group;
        for (; left > 1; left -= 2, at += 2 * headDim) attendPair(head, headDim, q, at, out, scratch);
        if (left === 1) attendSingle(head, headDim, q, at, out, scratch);
      }
    }
  }
}

/** Two neighbouring query heads of one row, from `at` in q and out. */
function attendPair(
  { cache, offset, stride, seen }: Head,
  headDim: number,
  q: Float32Array,
  at: number,
  out: Float32Array,
  { queries, first, second, sums }: Scratch,
): void {
  const { blocks, blockRows, keysAt, valuesAt } = cache;
  for (let i = 0; i < 2 * headDim; i++) queries[i] = q[at + i]!;
  for (let n = 0, block = 0; n < seen; n += blockRows, block++) {
    const rows = { values: blocks[block]!, at: keysAt + offset, stride, count: Math.min(blockRows, seen - n) };
    pairDots(queries, headDim, rows, first, second, n);
  }
  const scale = headDim ** -0.5;
  softmaxInPlace(first, seen, scale);
  softmaxInPlace(second, seen, scale);
  sums.fill(0);
  for (let n = 0, block = 0; n < seen; n += blockRows, block++) {
    const rows = { values: blocks[block]!, at: valuesAt + offset, stride, count: Math.min(blockRows, seen - n) };
    addPairs(first, second, n, rows, sums, headDim);
  }
  for (let i = 0; i < 2 * headDim; i++) out[at + i] = sums[i]!;
}

/** One query head that is left over. */
function attendSingle(
  { cache, offset, stride, seen }: Head,
  headDim: number,
  q: Float32Array,
  at: number,
  out: Float32Array,
  { first: weights, sums }: Scratch,
): void {
  const { blocks, blockRows, keysAt, valuesAt } = cache;
  for (let n = 0, block = 0; n < seen; n += blockRows, block++) {
    const rows = { values: blocks[block]!, at: keysAt + offset, stride };
    rowDots(q, at, rows, headDim, Math.min(blockRows, seen - n), weights, n);
  }
  softmaxInPlace(weights, seen, headDim ** -0.5);
  sums.fill(0);
  for (let n = 0, block = 0; n < seen; n += blockRows, block++) {
    const rows = { values: blocks[block]!, at: valuesAt + offset, stride, count: Math.min(blockRows, seen - n) };
    addRows(weights, n, rows, sums, headDim);
  }
  for (let i = 0; i < headDim; i++) out[at + i] = sums[i]!;
}

import { type AttentionShape, type AttentionSpan, type HeadOffsets, headOffsets, softmaxInPlace } from './attention.ts';
import { addRows, copyColumns, copyRows, matricesIn } from './double-scratch.ts';
import { type EngineProduct, TILES } from './engine-product.ts';

/** Queries that are computed together, in both passes. What they see beyond their own diagonal, half of it in vain, grows with them. */
export const BLOCK = 16;

/** What attention reads and fills; one array has the rows of all sequences. */
export interface AttentionValues {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly out: Float32Array;
  /** [rows, heads]: the log of each softmax's denominator. */
  readonly lse: Float64Array;
}

/** Floats that either pass needs at most; in proportion to the longest sequence. */
export function attentionScratch({ headDim }: AttentionShape, spans: readonly AttentionSpan[]): number {
  const keys = padded(spans.reduce((longest, { keyLength }) => Math.max(longest, keyLength), 0));
  const width = padded(headDim);
  return 2 * (5 * keys * width + 2 * BLOCK * keys + 3 * BLOCK * width);
}

/**
 * Causal attention of one sequence to the keys of one head, of all query heads that share it, a block of queries at a time. Each sum is in double precision and runs over its terms
 * in order, so the result has the bits that one query at a time gives, and keys from a cache.
 * @param values `out` holds zeros where this writes
 * @param scratch memory of the engine, `attentionScratch` floats
 */
export function attentionForward(
  shape: AttentionShape,
  span: AttentionSpan,
  kvHead: number,
  { q, k, v, out, lse }: AttentionValues,
  scratch: Float32Array,
  product: EngineProduct,
): void {
  const { headDim } = shape;
  const { keyLength } = span;
  const scale = headDim ** -0.5;
  const [keys, width] = [padded(keyLength), padded(headDim)];
  const next = matricesIn(scratch);
  const [keyColumns, values] = [next(width, keys), next(keys, width)];
  const [queries, weights, sums] = [next(BLOCK, width), next(BLOCK, keys), next(BLOCK, width)];
  const blocks = blocksOf(span);
  for (const [i, at] of headsOf(shape, span, kvHead).entries()) {
    if (i === 0) {
      copyColumns({ values: k, at: at.key, stride: at.keyStride }, keyLength, headDim, keyColumns);
      copyRows({ values: v, at: at.key, stride: at.keyStride }, keyLength, headDim, values);
    }
    for (const block of blocks) {
      const size = { rows: padded(block.count), columns: padded(block.seen) };
      copyRows(queryRows(q, at, block), block.count, headDim, queries);
      for (const each of [weights, sums]) each.values.fill(0);
      product(queries, keyColumns, weights, { ...size, inner: headDim });
      for (let row = 0; row < block.count; row++) {
        const own = weights.values.subarray(row * keys, row * keys + size.columns);
        const seen = block.seen - block.count + row + 1;
        lse[at.lse + (block.first + row) * at.lseStride] = softmaxInPlace(own, seen, scale);
        own.fill(0, seen);
      }
      product(weights, values, sums, { rows: size.rows, columns: width, inner: block.seen });
      addRows(sums, block.count, headDim, queryRows(out, at, block));
    }
  }
}

/** Queries of a span, and how many keys the last of them sees. */
export interface Block {
  readonly first: number;
  readonly count: number;
  readonly seen: number;
}

export function blocksOf({ queryLength, keyLength }: AttentionSpan): Block[] {
  return Array.from({ length: Math.ceil(queryLength / BLOCK) }, (_, i) => {
    const first = i * BLOCK;
    const count = Math.min(BLOCK, queryLength - first);
    return { first, count, seen: keyLength - queryLength + first + count };
  });
}

export function queryRows(values: Float32Array, at: HeadOffsets, { first }: Block) {
  return { values, at: at.query + first * at.queryStride, stride: at.queryStride };
}

/** As products want their rows and columns. */
export function padded(count: number): number {
  return Math.ceil(count / TILES.double.columns) * TILES.double.columns;
}

/** Where the query heads lie that share a head of keys and values: they come one after the other. */
export function headsOf(shape: AttentionShape, span: AttentionSpan, kvHead: number): HeadOffsets[] {
  const group = (shape.heads / shape.kvHeads) | 0;
  return Array.from({ length: group }, (_, i) => headOffsets(shape, span, kvHead * group + i));
}

import type { AttentionShape, AttentionSpan, HeadOffsets } from './attention.ts';
import { type AttentionValues, BLOCK, type Block, blocksOf, headsOf, padded, queryRows } from './attention-blocks.ts';
import { addRows, copyColumns, copyRows, type DoubleMatrix, matricesIn, transposed } from './double-scratch.ts';
import type { EngineProduct } from './engine-product.ts';

/** What the backward pass has besides; the gradients have the shapes of q, k and v. */
export interface AttentionGradients extends AttentionValues {
  readonly dOut: Float32Array;
  readonly dq: Float32Array;
  readonly dk: Float32Array;
  readonly dv: Float32Array;
}

/**
 * Gradient of attention of one sequence, with as many keys as queries, to the keys of one head. The softmax is recomputed from `lse`, so that
 * nothing quadratic is stored, neither between the passes nor here (Dao et al., "FlashAttention", 2022, section 3.1).
 * @param g the gradients hold zeros where this writes
 */
export function attentionBackward(
  shape: AttentionShape,
  span: AttentionSpan,
  kvHead: number,
  g: AttentionGradients,
  scratch: Float32Array,
  product: EngineProduct,
): void {
  const { headDim } = shape;
  const { keyLength } = span;
  const [keys, width] = [padded(keyLength), padded(headDim)];
  const next = matricesIn(scratch);
  const [keyRows, keyColumns, valueColumns] = [next(keys, width), next(width, keys), next(width, keys)];
  const [dKeys, dValues] = [next(keys, width), next(keys, width)];
  const [weights, dScores] = [next(BLOCK, keys), next(BLOCK, keys)];
  const [queries, dOuts, dQueries] = [next(BLOCK, width), next(BLOCK, width), next(BLOCK, width)];
  const blocks = blocksOf(span);
  for (const [i, at] of headsOf(shape, span, kvHead).entries()) {
    const ofKeys = (values: Float32Array) => ({ values, at: at.key, stride: at.keyStride });
    if (i === 0) {
      copyRows(ofKeys(g.k), keyLength, headDim, keyRows);
      copyColumns(ofKeys(g.k), keyLength, headDim, keyColumns);
      copyColumns(ofKeys(g.v), keyLength, headDim, valueColumns);
    }
    for (const sums of [dKeys, dValues]) sums.values.fill(0);
    for (const block of blocks) {
      const size = { rows: padded(block.count), columns: padded(block.seen) };
      copyRows(queryRows(g.q, at, block), block.count, headDim, queries);
      copyRows(queryRows(g.dOut, at, block), block.count, headDim, dOuts);
      for (const sums of [weights, dScores, dQueries]) sums.values.fill(0);
      product(queries, keyColumns, weights, { ...size, inner: headDim });
      product(dOuts, valueColumns, dScores, { ...size, inner: headDim });
      scoreGradients(g, headDim, at, block, { weights, dScores });
      product(dScores, keyRows, dQueries, { rows: size.rows, columns: width, inner: block.seen });
      const sumsOfKeys = { rows: size.columns, columns: width, inner: block.count };
      product(transposed(dScores), queries, dKeys, sumsOfKeys);
      product(transposed(weights), dOuts, dValues, sumsOfKeys);
      addRows(dQueries, block.count, headDim, queryRows(g.dq, at, block));
    }
    addRows(dKeys, keyLength, headDim, ofKeys(g.dk));
    addRows(dValues, keyLength, headDim, ofKeys(g.dv));
  }
}

/** Makes scores the weights they stand for, and gradients of weights those of scores: of the keys that each query of a block sees, 0 of the others. */
function scoreGradients(
  { lse, out, dOut }: AttentionGradients,
  headDim: number,
  at: HeadOffsets,
  { first, count, seen: seenByLast }: Block,
  { weights, dScores }: { readonly weights: DoubleMatrix; readonly dScores: DoubleMatrix },
): void {
  const scale = headDim ** -0.5;
  for (let row = 0; row < count; row++) {
    const queryAt = at.query + (first + row) * at.queryStride;
    const logTotal = lse[at.lse + (first + row) * at.lseStride]!;
    let drift = 0;
    for (let i = 0; i < headDim; i++) drift += dOut[queryAt + i]! * out[queryAt + i]!;
    const begin = row * weights.width;
    const end = begin + first + row + 1;
    for (let i = begin; i < end; i++) {
      const weight = Math.exp(weights.values[i]! * scale - logTotal);
      weights.values[i] = weight;
      dScores.values[i] = weight * (dScores.values[i]! - drift) * scale;
    }
    for (const each of [weights, dScores]) each.values.fill(0, end, begin + padded(seenByLast));
  }
}

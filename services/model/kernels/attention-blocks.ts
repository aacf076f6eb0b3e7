import { type AttentionShape, type AttentionSpan, type HeadOffsets, headOffsets, softmaxInPlace } from './attention.ts';
import { addRows, copyColumns, copyRows, matricesIn, transposed } from './double-scratch.ts';
import { type EngineProduct, TILES } from './engine-product.ts';

/** Queries that are computed together. What they see beyond their own diagonal, half of it in vain, grows with them. */
const BLOCK = 16;

/** What attention reads and fills; one array has the rows of all sequences. */
export interface AttentionValues {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly out: Float32Array;
  /** [rows, heads]: the log of each softmax's denominator. */
  readonly lse: Float64Array;
}

/** What the backward pass has besides; the gradients have the shapes of q, k and v. */
export interface AttentionGradients extends AttentionValues {
  readonly dOut: Float32Array;
  readonly dq: Float32Array;
  readonly dk: Float32Array;
  readonly dv: Float32Array;
}

/** Floats that either pass needs at most; in proportion to the longest sequence. */
export function attentionScratch({ headDim }: AttentionShape, spans: readonly AttentionSpan[]): number {
  const keys = padded(spans.reduce((longest, { keyLength }) => Math.max(longest, keyLength), 0));
  const width = padded(headDim);
  return 2 * (5 * keys * width + 2 * BLOCK * keys + 3 * BLOCK * width);
}

/**
 * `attentionForward` of all its queries, a block of them at a time: the same sums in the same order, so the same bits.
 * @param scratch memory of the engine, `attentionScratch` floats
 */
export function attentionBlocksForward(
  shape: AttentionShape,
  spans: readonly AttentionSpan[],
  { q, k, v, out, lse }: AttentionValues,
  scratch: Float32Array,
  product: EngineProduct,
): void {
  const { headDim } = shape;
  const scale = headDim ** -0.5;
  for (const span of spans) {
    const { keyLength } = span;
    const [keys, width] = [padded(keyLength), padded(headDim)];
    const next = matricesIn(scratch);
    const [keyColumns, values] = [next(width, keys), next(keys, width)];
    const [queries, weights, sums] = [next(BLOCK, width), next(BLOCK, keys), next(BLOCK, width)];
    for (let head = 0; head < shape.heads; head++) {
      const at = headOffsets(shape, span, head);
      copyColumns({ values: k, at: at.key, stride: at.keyStride }, keyLength, headDim, keyColumns);
      copyRows({ values: v, at: at.key, stride: at.keyStride }, keyLength, headDim, values);
      for (const block of blocksOf(span)) {
        const size = { rows: padded(block.count), columns: padded(block.seen) };
        copyRows(queryRows(q, at, block), block.count, headDim, queries);
        weights.values.fill(0);
        product(queries, keyColumns, weights, { ...size, inner: headDim });
        for (let row = 0; row < block.count; row++) {
          const own = weights.values.subarray(row * keys, row * keys + size.columns);
          const seen = block.seen - block.count + row + 1;
          lse[at.lse + (block.first + row) * at.lseStride] = softmaxInPlace(own, seen, scale);
          own.fill(0, seen);
        }
        sums.values.fill(0);
        product(weights, values, sums, { rows: size.rows, columns: width, inner: block.seen });
        const into = queryRows(out, at, block);
        for (let row = 0; row < block.count; row++)
          into.values.fill(0, into.at + row * into.stride, into.at + row * into.stride + headDim);
        addRows(sums, block.count, headDim, into);
      }
    }
  }
}

/**
 * Gradient of attention for sequences with as many keys as queries. The softmax is recomputed from `lse`, so that
 * nothing quadratic is stored, neither between the passes nor here (Dao et al., "FlashAttention", 2022, section 3.1).
 */
export function attentionBlocksBackward(
  shape: AttentionShape,
  spans: readonly AttentionSpan[],
  g: AttentionGradients,
  scratch: Float32Array,
  product: EngineProduct,
): void {
  const { headDim } = shape;
  const scale = headDim ** -0.5;
  for (const gradient of [g.dq, g.dk, g.dv]) gradient.fill(0);
  for (const span of spans) {
    const { keyLength } = span;
    const [keys, width] = [padded(keyLength), padded(headDim)];
    const next = matricesIn(scratch);
    const [keyRows, keyColumns, valueColumns] = [next(keys, width), next(width, keys), next(width, keys)];
    const [dKeys, dValues] = [next(keys, width), next(keys, width)];
    const [weights, dScores] = [next(BLOCK, keys), next(BLOCK, keys)];
    const [queries, dOuts, dQueries] = [next(BLOCK, width), next(BLOCK, width), next(BLOCK, width)];
    for (let head = 0; head < shape.heads; head++) {
      const at = headOffsets(shape, span, head);
      const ofKeys = (values: Float32Array) => ({ values, at: at.key, stride: at.keyStride });
      copyRows(ofKeys(g.k), keyLength, headDim, keyRows);
      copyColumns(ofKeys(g.k), keyLength, headDim, keyColumns);
      copyColumns(ofKeys(g.v), keyLength, headDim, valueColumns);
      for (const sums of [dKeys, dValues]) sums.values.fill(0);
      for (const block of blocksOf(span)) {
        const size = { rows: padded(block.count), columns: padded(block.seen) };
        copyRows(queryRows(g.q, at, block), block.count, headDim, queries);
        copyRows(queryRows(g.dOut, at, block), block.count, headDim, dOuts);
        for (const sums of [weights, dScores, dQueries]) sums.values.fill(0);
        product(queries, keyColumns, weights, { ...size, inner: headDim });
        product(dOuts, valueColumns, dScores, { ...size, inner: headDim });
        for (let row = 0; row < block.count; row++) {
          const [begin, seen] = [row * keys, block.first + row + 1];
          const queryAt = at.query + (block.first + row) * at.queryStride;
          const logTotal = g.lse[at.lse + (block.first + row) * at.lseStride]!;
          let drift = 0;
          for (let i = 0; i < headDim; i++) drift += g.dOut[queryAt + i]! * g.out[queryAt + i]!;
          scoreGradients(weights.values, dScores.values, begin, begin + seen, { scale, logTotal, drift });
          for (const each of [weights, dScores]) each.values.fill(0, begin + seen, begin + size.columns);
        }
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
}

/** Makes scores the weights they stand for, and gradients of weights those of scores. */
function scoreGradients(
  weights: Float64Array,
  dScores: Float64Array,
  begin: number,
  end: number,
  { scale, logTotal, drift }: { readonly scale: number; readonly logTotal: number; readonly drift: number },
): void {
  for (let i = begin; i < end; i++) {
    const weight = Math.exp(weights[i]! * scale - logTotal);
    weights[i] = weight;
    dScores[i] = weight * (dScores[i]! - drift) * scale;
  }
}

/** Queries of a span, and how many keys the last of them sees. */
interface Block {
  readonly first: number;
  readonly count: number;
  readonly seen: number;
}

function blocksOf({ queryLength, keyLength }: AttentionSpan): Block[] {
  return Array.from({ length: Math.ceil(queryLength / BLOCK) }, (_, i) => {
    const first = i * BLOCK;
    const count = Math.min(BLOCK, queryLength - first);
    return { first, count, seen: keyLength - queryLength + first + count };
  });
}

function queryRows(values: Float32Array, at: HeadOffsets, { first }: Block) {
  return { values, at: at.query + first * at.queryStride, stride: at.queryStride };
}

/** As products want their rows and columns. */
function padded(count: number): number {
  return Math.ceil(count / TILES.double.columns) * TILES.double.columns;
}

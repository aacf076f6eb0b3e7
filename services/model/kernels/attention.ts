import { addWeightedRows, rowDots } from './small-products.ts';

/** Heads of grouped-query attention: `heads / kvHeads` consecutive query heads share one key and value head. */
export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/**
 * One sequence: `queryLength` rows from `queryStart` in the packed queries look at `keyLength` rows from `keyStart` in `keys`
 * and `values`. The queries are the last rows of the sequence: query i sees keys 0 .. keyLength - queryLength + i.
 */
export interface AttentionSpan {
  readonly queryStart: number;
  readonly queryLength: number;
  readonly keyStart: number;
  readonly keyLength: number;
}

/**
 * Causal attention of one sequence, written to the same rows of `out` as its queries hold.
 *
 * Every sum runs over the keys in order and in double precision, one query at a time: the result is the same bits whether the
 * keys were computed now or taken from a cache, and whatever else is in the batch.
 *
 * @param q [rows, heads * headDim]
 * @param k, v [keys, kvHeads * headDim]
 * @param lse if given, [rows, heads]: the log of each softmax's denominator, which the backward pass needs.
 */
export function attentionForward(
  shape: AttentionShape,
  span: AttentionSpan,
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  out: Float32Array,
  lse?: Float64Array,
): void {
  const { headDim } = shape;
  const scale = headDim ** -0.5;
  const weights = new Float64Array(span.keyLength);
  for (let head = 0; head < shape.heads; head++) {
    const at = headOffsets(shape, span, head);
    const keys = { values: k, at: at.key, stride: at.keyStride };
    const values = { values: v, at: at.key, stride: at.keyStride };
    for (let row = 0; row < span.queryLength; row++) {
      const seen = span.keyLength - span.queryLength + row + 1;
      const queryAt = at.query + row * at.queryStride;
      out.fill(0, queryAt, queryAt + headDim);
      rowDots(q, queryAt, keys, headDim, seen, weights, 0);
      const logTotal = softmaxInPlace(weights, seen, scale);
      addWeightedRows(weights, 0, 1, values, headDim, seen, 1, out, queryAt);
      if (lse) lse[at.lse + row * at.lseStride] = logTotal;
    }
  }
}

/** Where one head of one sequence lies in queries, keys and lse. */
interface HeadOffsets {
  readonly query: number;
  readonly queryStride: number;
  readonly key: number;
  readonly keyStride: number;
  readonly lse: number;
  readonly lseStride: number;
}

function headOffsets({ heads, kvHeads, headDim }: AttentionShape, span: AttentionSpan, head: number): HeadOffsets {
  // Integer division: with a double in them, V8 would compute every index of the inner loops as a double.
  const kvHead = ((head * kvHeads) / heads) | 0;
  return {
    query: (span.queryStart * heads + head) * headDim,
    queryStride: heads * headDim,
    key: (span.keyStart * kvHeads + kvHead) * headDim,
    keyStride: kvHeads * headDim,
    lse: span.queryStart * heads + head,
    lseStride: heads,
  };
}

/** Softmax of the first `count` values times `scale`; gives the log of its denominator. */
export function softmaxInPlace(values: Float64Array, count: number, scale: number): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    if (value > highest) highest = value;
  }
  let total = 0;
  for (let i = 0; i < count; i++) {
    const weight = Math.exp((values[i]! - highest) * scale);
    values[i] = weight;
    total += weight;
  }
  const inverse = 1 / total;
  for (let i = 0; i < count; i++) values[i]! *= inverse;
  return highest * scale + Math.log(total);
}

/** What the backward pass reads and fills; the gradients have the shapes of q, k and v. */
export interface AttentionGradients {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly out: Float32Array;
  readonly lse: Float64Array;
  readonly dOut: Float32Array;
  readonly dq: Float32Array;
  readonly dk: Float32Array;
  readonly dv: Float32Array;
}

/**
 * Gradient of `attentionForward` for sequences with as many keys as queries. The softmax is recomputed from `lse`, so that
 * nothing quadratic is stored between the passes (Dao et al., "FlashAttention", 2022, section 3.1).
 */
export function attentionBackward(shape: AttentionShape, spans: readonly AttentionSpan[], g: AttentionGradients): void {
  const longest = spans.reduce((length, span) => Math.max(length, span.keyLength), 0);
  const weights = new Float64Array(longest * longest);
  const dScores = new Float64Array(longest * longest);
  for (const gradient of [g.dq, g.dk, g.dv]) gradient.fill(0);
  for (const span of spans) {
    for (let head = 0; head < shape.heads; head++) {
      const at = headOffsets(shape, span, head);
      softmaxGradient(shape.headDim, span, at, g, weights, dScores);
      inputGradients(shape.headDim, span, at, g, weights, dScores);
    }
  }
}

/** Fills `weights` and `dScores`, both [length, length] on and below the diagonal. */
function softmaxGradient(
  headDim: number,
  { queryLength: length }: AttentionSpan,
  at: HeadOffsets,
  { q, k, v, out, lse, dOut }: AttentionGradients,
  weights: Float64Array,
  dScores: Float64Array,
): void {
  const scale = headDim ** -0.5;
  const keys = { values: k, at: at.key, stride: at.keyStride };
  const values = { values: v, at: at.key, stride: at.keyStride };
  for (let row = 0; row < length; row++) {
    const queryAt = at.query + row * at.queryStride;
    const logTotal = lse[at.lse + row * at.lseStride]!;
    let drift = 0;
    for (let i = 0; i < headDim; i++) drift += dOut[queryAt + i]! * out[queryAt + i]!;
    rowDots(q, queryAt, keys, headDim, row + 1, weights, row * length);
    rowDots(dOut, queryAt, values, headDim, row + 1, dScores, row * length);
    for (let key = row * length; key <= row * length + row; key++) {
      const weight = Math.exp(weights[key]! * scale - logTotal);
      weights[key] = weight;
      dScores[key] = weight * (dScores[key]! - drift) * scale;
    }
  }
}

/** Query gradients sum over the keys seen; key and value gradients over the queries that saw them and the heads of a group. */
function inputGradients(
  headDim: number,
  { queryLength: length }: AttentionSpan,
  at: HeadOffsets,
  { q, k, dOut, dq, dk, dv }: AttentionGradients,
  weights: Float64Array,
  dScores: Float64Array,
): void {
  const keys = { values: k, at: at.key, stride: at.keyStride };
  for (let row = 0; row < length; row++) {
    addWeightedRows(dScores, row * length, 1, keys, headDim, row + 1, 1, dq, at.query + row * at.queryStride);
  }
  for (let key = 0; key < length; key++) {
    const seenBy = { at: at.query + key * at.queryStride, stride: at.queryStride };
    const [keyAt, diagonal, count] = [at.key + key * at.keyStride, key * length + key, length - key];
    addWeightedRows(dScores, diagonal, length, { values: q, ...seenBy }, headDim, count, 1, dk, keyAt);
    addWeightedRows(weights, diagonal, length, { values: dOut, ...seenBy }, headDim, count, 1, dv, keyAt);
  }
}

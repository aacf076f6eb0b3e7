import { type AttentionShape, type AttentionSpan, headOffsets, softmaxInPlace } from '../kernels/attention.ts';

/**
 * Causal attention of one sequence, one query after the other, written to the same rows of `out` as its queries hold. Every sum is in double precision and
 * runs over its terms in order: what computes it faster gives these bits.
 *
 * @param q [rows, heads * headDim]
 * @param k, v [keys, kvHeads * headDim]
 * @param lse if given, [rows, heads]: the log of each softmax's denominator
 */
export function plainAttention(
  shape: AttentionShape,
  span: AttentionSpan,
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  out: Float32Array,
  lse?: Float64Array,
): void {
  const { headDim } = shape;
  const weights = new Float64Array(span.keyLength);
  for (let head = 0; head < shape.heads; head++) {
    const at = headOffsets(shape, span, head);
    for (let row = 0; row < span.queryLength; row++) {
      const seen = span.keyLength - span.queryLength + row + 1;
      const queryAt = at.query + row * at.queryStride;
      for (let key = 0; key < seen; key++) {
        weights[key] = 0;
        for (let i = 0; i < headDim; i++) weights[key]! += q[queryAt + i]! * k[at.key + key * at.keyStride + i]!;
      }
      const logTotal = softmaxInPlace(weights, seen, headDim ** -0.5);
      for (let i = 0; i < headDim; i++) {
        let sum = 0;
        for (let key = 0; key < seen; key++) sum += weights[key]! * v[at.key + key * at.keyStride + i]!;
        out[queryAt + i] = sum;
      }
      if (lse) lse[at.lse + row * at.lseStride] = logTotal;
    }
  }
}

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

/** Where one head of one sequence lies in queries, keys and lse. */
export interface HeadOffsets {
  readonly query: number;
  readonly queryStride: number;
  readonly key: number;
  readonly keyStride: number;
  readonly lse: number;
  readonly lseStride: number;
}

export function headOffsets(
  { heads, kvHeads, headDim }: AttentionShape,
  span: AttentionSpan,
  head: number,
): HeadOffsets {
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

/**
 * Softmax of the first `count` values times `scale`, in order: whatever computes attention takes this one, for the same bits.
 * @returns the log of its denominator
 */
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

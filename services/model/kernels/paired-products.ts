/*
 * The inner loops of attention over blocks of keys, for two queries at a time and for one. A value that is read serves both queries, and eight sums
 * at a time stay in registers; each is in double precision and runs over its terms in order.
 */

/** Rows of a block, row-major: row n begins at `at + n * stride`. */
export interface BlockRows {
  readonly values: Float32Array;
  readonly at: number;
  readonly stride: number;
  readonly count: number;
}

/** first[outAt + n] = query[0 .. size) . row n, and second[outAt + n] the same with query[size .. 2 size). */
export function pairDots(
  query: Float64Array,
  size: number,
  { values, at, stride, count }: BlockRows,
  first: Float64Array,
  second: Float64Array,
  outAt: number,
): void {
  let n = 0;
  for (; n + 3 < count; n += 4) {
    const r0 = at + n * stride;
    const r1 = r0 + stride;
    const r2 = r1 + stride;
    const r3 = r2 + stride;
    let a0 = 0;
    let a1 = 0;
    let a2 = 0;
    let a3 = 0;
    let b0 = 0;
    let b1 = 0;
    let b2 = 0;
    let b3 = 0;
    for (let i = 0; i < size; i++) {
      const a = query[i]!;
      const b = query[size + i]!;
      const v0 = values[r0 + i]!;
      const v1 = values[r1 + i]!;
      const v2 = values[r2 + i]!;
      const v3 = values[r3 + i]!;
      a0 += a * v0;
      a1 += a * v1;
      a2 += a * v2;
      a3 += a * v3;
      b0 += b * v0;
      b1 += b * v1;
      b2 += b * v2;
      b3 += b * v3;
    }
    const o = outAt + n;
    first[o] = a0;
    first[o + 1] = a1;
    first[o + 2] = a2;
    first[o + 3] = a3;
    second[o] = b0;
    second[o + 1] = b1;
    second[o + 2] = b2;
    second[o + 3] = b3;
  }
  for (; n < count; n++) {
    let a = 0;
    let b = 0;
    for (let i = 0, r = at + n * stride; i < size; i++, r++) {
      const value = values[r]!;
      a += query[i]! * value;
      b += query[size + i]! * value;
    }
    first[outAt + n] = a;
    second[outAt + n] = b;
  }
}

/** sums[i] += the sum over rows n of first[wAt + n] * row n, and sums[size + i] the same with `second`. */
export function addPairs(
  first: Float64Array,
  second: Float64Array,
  wAt: number,
  { values, at, stride, count }: BlockRows,
  sums: Float64Array,
  size: number,
): void {
  let i = 0;
  for (; i + 3 < size; i += 4) {
    let a0 = sums[i]!;
    let a1 = sums[i + 1]!;
    let a2 = sums[i + 2]!;
    let a3 = sums[i + 3]!;
    let b0 = sums[size + i]!;
    let b1 = sums[size + i + 1]!;
    let b2 = sums[size + i + 2]!;
    let b3 = sums[size + i + 3]!;
    for (let n = 0, r = at + i; n < count; n++, r += stride) {
      const a = first[wAt + n]!;
      const b = second[wAt + n]!;
      const v0 = values[r]!;
      const v1 = values[r + 1]!;
      const v2 = values[r + 2]!;
      const v3 = values[r + 3]!;
      a0 += a * v0;
      a1 += a * v1;
      a2 += a * v2;
      a3 += a * v3;
      b0 += b * v0;
      b1 += b * v1;
      b2 += b * v2;
      b3 += b * v3;
    }
    sums[i] = a0;
    sums[i + 1] = a1;
    sums[i + 2] = a2;
    sums[i + 3] = a3;
    sums[size + i] = b0;
    sums[size + i + 1] = b1;
    sums[size + i + 2] = b2;
    sums[size + i + 3] = b3;
  }
  for (; i < size; i++) {
    let a = sums[i]!;
    let b = sums[size + i]!;
    for (let n = 0, r = at + i; n < count; n++, r += stride) {
      a += first[wAt + n]! * values[r]!;
      b += second[wAt + n]! * values[r]!;
    }
    sums[i] = a;
    sums[size + i] = b;
  }
}

/** As `addPairs` for one query. */
export function addRows(
  weights: Float64Array,
  wAt: number,
  { values, at, stride, count }: BlockRows,
  sums: Float64Array,
  size: number,
): void {
  let i = 0;
  for (; i + 3 < size; i += 4) {
    let s0 = sums[i]!;
    let s1 = sums[i + 1]!;
    let s2 = sums[i + 2]!;
    let s3 = sums[i + 3]!;
    for (let n = 0, r = at + i; n < count; n++, r += stride) {
      const weight = weights[wAt + n]!;
      s0 += weight * values[r]!;
      s1 += weight * values[r + 1]!;
      s2 += weight * values[r + 2]!;
      s3 += weight * values[r + 3]!;
    }
    sums[i] = s0;
    sums[i + 1] = s1;
    sums[i + 2] = s2;
    sums[i + 3] = s3;
  }
  for (; i < size; i++) {
    let sum = sums[i]!;
    for (let n = 0, r = at + i; n < count; n++, r += stride) sum += weights[wAt + n]! * values[r]!;
    sums[i] = sum;
  }
}

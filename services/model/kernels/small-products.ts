/*
 * An inner loop of attention. Four sums at a time stay in registers, which is what makes them fast; every sum is in double
 * precision and runs over its terms in order, so it does not matter how many of them there are at once.
 */

/** Part of a row-major matrix: row n begins at `at + n * stride`. */
export interface RowsView {
  readonly values: Float32Array;
  readonly at: number;
  readonly stride: number;
}

/** out[outAt + n] = sum over i < size of a[aAt + i] * rows[n][i], for n < count. */
export function rowDots(
  a: Float32Array,
  aAt: number,
  rows: RowsView,
  size: number,
  count: number,
  out: Float64Array,
  outAt: number,
): void {
  const { values, at, stride } = rows;
  let n = 0;
  for (; n + 3 < count; n += 4) {
    const r0 = at + n * stride;
    const r1 = r0 + stride;
    const r2 = r1 + stride;
    const r3 = r2 + stride;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let i = 0; i < size; i++) {
      const factor = a[aAt + i]!;
      s0 += factor * values[r0 + i]!;
      s1 += factor * values[r1 + i]!;
      s2 += factor * values[r2 + i]!;
      s3 += factor * values[r3 + i]!;
    }
    out[outAt + n] = s0;
    out[outAt + n + 1] = s1;
    out[outAt + n + 2] = s2;
    out[outAt + n + 3] = s3;
  }
  for (; n < count; n++) {
    let sum = 0;
    for (let i = 0, r = at + n * stride; i < size; i++, r++) sum += a[aAt + i]! * values[r]!;
    out[outAt + n] = sum;
  }
}

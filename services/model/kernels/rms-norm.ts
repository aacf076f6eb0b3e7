/**
 * Root mean square norm (Zhang and Sennrich, 2019) of each consecutive group of `weight.length` values: whole rows,
 * or the heads of a row when the weight has the size of a head.
 *
 * @param x, out any length that is a multiple of weight.length
 */
export function rmsNormForward(x: Float32Array, weight: Float32Array, eps: number, out: Float32Array): void {
  const size = weight.length;
  for (let at = 0; at < x.length; at += size) {
    const inverse = inverseRms(x, at, size, eps);
    for (let i = 0; i < size; i++) out[at + i] = x[at + i]! * inverse * weight[i]!;
  }
}

/** Fills `dx` and, where given, `dWeight` (summed over all groups). */
export function rmsNormBackward(
  x: Float32Array,
  weight: Float32Array,
  eps: number,
  dy: Float32Array,
  dx: Float32Array,
  dWeight?: Float32Array,
): void {
  const size = weight.length;
  const sums = dWeight && new Float64Array(size);
  for (let at = 0; at < x.length; at += size) {
    const inverse = inverseRms(x, at, size, eps);
    let along = 0;
    for (let i = 0; i < size; i++) along += dy[at + i]! * weight[i]! * x[at + i]!;
    const pull = (along * inverse * inverse * inverse) / size;
    for (let i = 0; i < size; i++) dx[at + i] = dy[at + i]! * weight[i]! * inverse - x[at + i]! * pull;
    if (sums) for (let i = 0; i < size; i++) sums[i]! += dy[at + i]! * x[at + i]! * inverse;
  }
  if (sums) dWeight.set(sums);
}

function inverseRms(x: Float32Array, at: number, size: number, eps: number): number {
  let squares = 0;
  for (let i = 0; i < size; i++) squares += x[at + i]! * x[at + i]!;
  return 1 / Math.sqrt(squares / size + eps);
}

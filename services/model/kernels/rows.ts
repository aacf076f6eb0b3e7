/**
 * Copies rows of a table: out[i] = table[indices[i]].
 * @param table [n, width]
 * @param out [indices.length, width]
 */
export function gatherRows(table: Float32Array, indices: Int32Array, width: number, out: Float32Array): void {
  for (let i = 0; i < indices.length; i++) {
    const at = indices[i]! * width;
    out.set(table.subarray(at, at + width), i * width);
  }
}

/** Gradient of `gatherRows`: dTable[indices[i]] += dy[i], in the order of i. */
export function scatterAddRows(dy: Float32Array, indices: Int32Array, width: number, dTable: Float32Array): void {
  dTable.fill(0);
  for (let i = 0; i < indices.length; i++) {
    const at = indices[i]! * width;
    for (let column = 0; column < width; column++) dTable[at + column]! += dy[i * width + column]!;
  }
}

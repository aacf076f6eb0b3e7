import type { Numbers } from './engine-product.ts';
import type { RowsView } from './small-products.ts';

/** A matrix of doubles in the engine's memory, row by row. */
export interface DoubleMatrix extends Numbers {
  readonly values: Float64Array;
  /** Values of a row. */
  readonly width: number;
}

/** Divides memory of the engine: each call gives the next matrix. @param memory where a tensor lies; the tensor's numbers are never read as such. */
export function matricesIn(memory: Float32Array): (rows: number, width: number) => DoubleMatrix {
  const all = new Float64Array(memory.buffer, memory.byteOffset, Math.floor(memory.length / 2));
  let used = 0;
  return (rows, width) => {
    const values = all.subarray(used, used + rows * width);
    used += rows * width;
    if (values.length < rows * width) throw new RangeError(`scratch of ${all.length} doubles is too small`);
    return { values, width, at: values.byteOffset, row: 8 * width, column: 8 };
  };
}

export function transposed({ at, row, column }: Numbers): Numbers {
  return { at, row: column, column: row };
}

/** Copies rows as they are. */
export function copyRows({ values, at, stride }: RowsView, rows: number, width: number, into: DoubleMatrix): void {
  for (let row = 0; row < rows; row++) {
    const [from, to] = [at + row * stride, row * into.width];
    for (let i = 0; i < width; i++) into.values[to + i] = values[from + i]!;
  }
}

/** Copies rows into columns. */
export function copyColumns({ values, at, stride }: RowsView, rows: number, width: number, into: DoubleMatrix): void {
  for (let row = 0; row < rows; row++) {
    const from = at + row * stride;
    for (let i = 0; i < width; i++) into.values[i * into.width + row] = values[from + i]!;
  }
}

/** Adds rows to those of a float matrix. */
export function addRows(from: DoubleMatrix, rows: number, width: number, { values, at, stride }: RowsView): void {
  for (let row = 0; row < rows; row++) {
    const [source, to] = [row * from.width, at + row * stride];
    for (let i = 0; i < width; i++) values[to + i]! += from.values[source + i]!;
  }
}

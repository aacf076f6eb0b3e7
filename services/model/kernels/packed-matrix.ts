import type * as tf from '../tf.ts';
import { compute, computeMany, engineMemory } from './heap.ts';
import { chunksOf, MOST_ROWS, productParameters, scratchFloats } from './packed-product-chunk.ts';
import { PANEL, ROW_BYTES } from './panel-code.ts';
import { threadsOf } from './threads/threads.ts';

/**
 * A matrix [inner, columns] in the order in which products read it: panels of 8 columns, each row by row, with zeros up to whole panels of 8 x 8 blocks.
 * A block is transposed in registers, so the one order serves the transpose as well, at a cost of one part in some hundred of a product with many rows.
 */
export interface PackedMatrix {
  readonly tensor: tf.Tensor1D;
  readonly inner: number;
  readonly columns: number;
}

/** Bytes that a packed matrix takes. */
export function packedBytes(inner: number, columns: number): number {
  return Float32Array.BYTES_PER_ELEMENT * whole(inner) * whole(columns);
}

function whole(count: number): number {
  return PANEL * Math.ceil(count / PANEL);
}

/** Packs a matrix [inner, columns]. */
export function pack(matrix: tf.Tensor2D): PackedMatrix {
  const [inner, columns] = matrix.shape;
  return packed(inner, columns, [matrix], (out, values) => {
    for (let first = 0; first < columns; first += PANEL) {
      const width = Math.min(PANEL, columns - first);
      const at = whole(inner) * first;
      for (let k = 0; k < inner; k++) {
        for (let i = 0; i < width; i++) out[at + PANEL * k + i] = values![columns * k + first + i]!;
      }
    }
  });
}

/** Packs the transpose of a matrix [columns, inner]. */
export function packTransposed(matrix: tf.Tensor2D): PackedMatrix {
  const [columns, inner] = matrix.shape;
  return packed(inner, columns, [matrix], (out, values) =>
    packColumns(out, inner, columns, (first, count) => values!.subarray(inner * first, inner * (first + count))),
  );
}

/** Packs columns as they come, up to 8 at a time: each one's values lie side by side. */
export function packFrom(
  inner: number,
  columns: number,
  read: (first: number, count: number) => Float32Array,
): PackedMatrix {
  return packed(inner, columns, [], (out) => packColumns(out, inner, columns, read));
}

function packColumns(
  out: Float32Array,
  inner: number,
  columns: number,
  read: (first: number, count: number) => Float32Array,
): void {
  for (let first = 0; first < columns; first += PANEL) {
    const width = Math.min(PANEL, columns - first);
    const values = read(first, width);
    const at = whole(inner) * first;
    for (let i = 0; i < width; i++) {
      for (let k = 0; k < inner; k++) out[at + PANEL * k + i] = values[inner * i + k]!;
    }
  }
}

function packed(
  inner: number,
  columns: number,
  inputs: tf.Tensor[],
  fill: (out: Float32Array, values: Float32Array | undefined) => void,
): PackedMatrix {
  const tensor = compute(inputs, [whole(inner) * whole(columns)], (out, values) => {
    if (inner % PANEL > 0 || columns % PANEL > 0) out.fill(0);
    fill(out, values);
  });
  return { tensor: tensor as tf.Tensor1D, inner, columns };
}

/** The values [inner, columns], row by row. */
export function unpack({ tensor, inner, columns }: PackedMatrix): Float32Array {
  const values = tensor.dataSync();
  return Float32Array.from({ length: inner * columns }, (_, i) => {
    const [k, column] = [Math.floor(i / columns), i % columns];
    return values[whole(inner) * (column - (column % PANEL)) + PANEL * k + (column % PANEL)]!;
  });
}

/** What becomes of a product. */
export interface ProductOptions {
  /** It is multiplied by this. */
  readonly scale?: number;
  /** It is added to this tensor, which is returned: one that was made just now, and that nothing else has. */
  readonly onto?: tf.Tensor2D;
}

/** x b: [rows, inner] -> [rows, columns]. */
export function times(x: tf.Tensor2D, matrix: PackedMatrix, options: ProductOptions = {}): tf.Tensor2D {
  return product(x, matrix, false, options);
}

/** dy b^T: [rows, columns] -> [rows, inner]. */
export function timesTransposed(dy: tf.Tensor2D, matrix: PackedMatrix, options: ProductOptions = {}): tf.Tensor2D {
  return product(dy, matrix, true, options);
}

/** Bytes of the scratch of a product with a matrix [inner, columns], of many rows: all threads' together, at most. */
export function scratchBytes(inner: number, columns: number, product: 'times' | 'timesTransposed'): number[] {
  const [sums, results] = product === 'times' ? [inner, columns] : [columns, inner];
  const sizes = { rows: MOST_ROWS, inner: sums, columns: results, transposed: product === 'timesTransposed' };
  const floats = threadsOf(engineMemory()).count * scratchFloats(sizes);
  return floats > 0 ? [Float32Array.BYTES_PER_ELEMENT * floats] : [];
}

function product(
  x: tf.Tensor2D,
  matrix: PackedMatrix,
  transposed: boolean,
  { scale = 1, onto }: ProductOptions,
): tf.Tensor2D {
  const threads = threadsOf(engineMemory());
  const rows = x.shape[0];
  const [inner, columns] = transposed ? [matrix.columns, matrix.inner] : [matrix.inner, matrix.columns];
  if (x.shape[1] !== inner) throw new RangeError(`rows of ${x.shape[1]} values do not go with a matrix of ${inner}`);
  const { chunks, chunkRows, chunkPanels } = chunksOf({ rows, inner, columns });
  const scratch = threads.slots(chunks) * scratchFloats({ rows, inner, columns, transposed });
  const inputs = onto ? [x, matrix.tensor, onto] : [x, matrix.tensor];
  // A token that is decoded pays for each tensor.
  const shapes: number[][] = onto ? [] : [[rows, columns]];
  if (scratch > 0) shapes.push([scratch]);
  const made = computeMany(inputs, shapes, (outs, [a, b, sums]) => {
    const parameters = productParameters({
      a: a!.byteOffset,
      c: (onto ? sums : outs[0])!.byteOffset,
      rows,
      inner,
      columns,
      matrix: b!.byteOffset,
      panelBytes: ROW_BYTES * whole(matrix.inner),
      transposed,
      added: onto !== undefined,
      scale,
      scratch: scratch > 0 ? outs.at(-1)!.byteOffset : 0,
      chunkRows,
      chunkPanels,
    });
    if (rows > 0) threads.run('product', parameters, chunks);
  });
  if (scratch > 0) made.pop()!.dispose();
  return onto ?? (made[0] as tf.Tensor2D);
}

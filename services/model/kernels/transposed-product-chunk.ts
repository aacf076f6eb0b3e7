import { engineProduct } from './engine-product.ts';
import type { Heap } from './threads/heap-views.ts';

/** Rows that are added at a time, so that what the next sums read of them is still in the cache. */
const ROWS_AT_A_TIME = 32;

/** Adds some rows or columns of the product to what is there: addresses of x, y and the sums, rows, m, n, and how many of the longer side. */
export function transposedChunk({ memory }: Heap, numbers: ArrayLike<number>, chunk: number): void {
  const [x, y, sums, rows, m, n, perChunk] = Array.from(numbers) as [
    ...[number, number, number, number, number, number, number],
  ];
  const first = chunk * perChunk;
  const [top, left] = m >= n ? [first, 0] : [0, first];
  const size =
    m >= n ? { rows: Math.min(perChunk, m - top), columns: n } : { rows: m, columns: Math.min(perChunk, n - left) };
  const product = engineProduct(memory, 'float');
  const into = { at: sums + 4 * (n * top + left), row: 4 * n, column: 4 };
  for (let row = 0; row < rows; row += ROWS_AT_A_TIME) {
    const columnsOfX = { at: x + 4 * (m * row + top), row: 4, column: 4 * m };
    const rowsOfY = { at: y + 4 * (n * row + left), row: 4 * n, column: 4 };
    product(columnsOfX, rowsOfY, into, { ...size, inner: Math.min(ROWS_AT_A_TIME, rows - row) });
  }
}

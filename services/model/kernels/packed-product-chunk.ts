import { PANEL, ROW_BYTES, tilesCode, transposesCode } from './panel-code.ts';
import type { Heap } from './threads/heap-views.ts';
import { instantiate, type Run } from './wasm-instance.ts';

/**
 * A product of rows with a matrix in panels: c = (a b) scale, or c + (a b) scale. Addresses and distances are in bytes, the rest is numbers of
 * rows, columns and panels.
 */
export interface PackedProduct {
  /** [rows, inner], row by row. */
  readonly a: number;
  /** [rows, columns], row by row. */
  readonly c: number;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** The panels of the matrix, from one to the next `panelBytes`. */
  readonly matrix: number;
  readonly panelBytes: number;
  /** Multiply by the transpose of what the panels say. */
  readonly transposed: boolean;
  /** 0 or 1: to what c holds. */
  readonly added: boolean;
  readonly scale: number;
  /** `scratchFloats` for each slot. */
  readonly scratch: number;
  /** Of one chunk. */
  readonly chunkRows: number;
  readonly chunkPanels: number;
}

/** Rows that are summed at once, and panels that a single row takes at once: enough sums to hide how long one addition takes. */
const [ROWS, PANELS] = [4, 4];
/** Rows of a chunk: what a thread reads again for each panel stays in its cache. */
export const MOST_ROWS = 256;
/** Multiplications of a chunk, some 15 microseconds: far more than taking one costs. */
const CHUNK_TERMS = 2 ** 18;

/** How a product is cut, and how many chunks there are. */
export function chunksOf({ rows, inner, columns }: Pick<PackedProduct, 'rows' | 'inner' | 'columns'>) {
  const chunkRows = Math.min(rows, MOST_ROWS);
  const panels = Math.ceil(columns / PANEL);
  const chunkPanels = Math.min(panels, Math.max(1, Math.ceil(CHUNK_TERMS / (chunkRows * inner * PANEL))));
  return { chunkRows, chunkPanels, chunks: Math.ceil(rows / chunkRows) * Math.ceil(panels / chunkPanels) };
}

/** Floats of scratch for each slot: a panel of the transpose, and the columns of a panel that is not full. */
export function scratchFloats({
  inner,
  rows,
  columns,
  transposed,
}: Pick<PackedProduct, 'rows' | 'inner' | 'columns' | 'transposed'>): number {
  return panelScratch(inner, transposed) + (columns % PANEL === 0 ? 0 : PANEL * Math.min(rows, MOST_ROWS));
}

function panelScratch(inner: number, transposed: boolean): number {
  return transposed ? PANEL * PANEL * Math.ceil(inner / PANEL) : 0;
}

/** As numbers for a thread, and back; without a spread, which takes longer than a token's product by an adapter. */
export function productParameters(p: PackedProduct): number[] {
  const [transposed, added] = [p.transposed ? 1 : 0, p.added ? 1 : 0];
  const { a, c, rows, inner, columns, matrix, panelBytes, scale, scratch, chunkRows, chunkPanels } = p;
  return [a, c, rows, inner, columns, matrix, panelBytes, transposed, added, scale, scratch, chunkRows, chunkPanels];
}

function fromParameters(n: ArrayLike<number>): PackedProduct {
  return {
    a: n[0]!,
    c: n[1]!,
    rows: n[2]!,
    inner: n[3]!,
    columns: n[4]!,
    matrix: n[5]!,
    panelBytes: n[6]!,
    transposed: n[7] === 1,
    added: n[8] === 1,
    scale: n[9]!,
    scratch: n[10]!,
    chunkRows: n[11]!,
    chunkPanels: n[12]!,
  };
}

/** Computes some columns of some rows. */
export function productChunk(heap: Heap, numbers: ArrayLike<number>, chunk: number, slot: number): void {
  const p = fromParameters(numbers);
  const code = codeFor(heap.memory);
  const blocks = Math.ceil(p.rows / p.chunkRows);
  const firstRow = (chunk % blocks) * p.chunkRows;
  const rows = Math.min(p.chunkRows, p.rows - firstRow);
  const firstPanel = Math.floor(chunk / blocks) * p.chunkPanels;
  const lastPanel = Math.min(firstPanel + p.chunkPanels, Math.ceil(p.columns / PANEL));
  const full = Math.min(lastPanel, Math.floor(p.columns / PANEL));
  const [a, c] = [p.a + 4 * p.inner * firstRow, p.c + 4 * p.columns * firstRow];
  const scratch = p.scratch + 4 * slot * scratchFloats(p);
  const tiles = (run: Run, b: number, into: number, row: number, count: number, added: boolean, width: number) =>
    run(
      a + 4 * p.inner * row,
      4 * p.inner,
      b,
      p.panelBytes,
      into + width * row,
      width,
      count,
      p.inner,
      added ? 1 : 0,
      p.scale,
    );

  /** Rows times the panels from `b` on, four at a time as far as that goes. */
  function multiply(b: number, panels: number, into: number, added: boolean, width: number): void {
    const inFours = rows - (rows % ROWS);
    for (let panel = 0; inFours > 0 && panel < panels; panel++) {
      tiles(code.tiles, b + panel * p.panelBytes, into + ROW_BYTES * panel, 0, inFours, added, width);
    }
    if (rows === inFours) return;
    let panel = 0;
    for (; panel + PANELS <= panels; panel += PANELS) {
      tiles(
        code.rowOfPanels,
        b + panel * p.panelBytes,
        into + ROW_BYTES * panel,
        inFours,
        rows - inFours,
        added,
        width,
      );
    }
    for (; panel < panels; panel++) {
      tiles(code.row, b + panel * p.panelBytes, into + ROW_BYTES * panel, inFours, rows - inFours, added, width);
    }
  }

  /** Where a panel lies: of the transpose, where it is put. */
  function panelAt(panel: number): number {
    if (!p.transposed) return p.matrix + panel * p.panelBytes;
    code.transposes(p.matrix + PANEL * ROW_BYTES * panel, ROW_BYTES, p.panelBytes, scratch, Math.ceil(p.inner / PANEL));
    return scratch;
  }

  if (p.transposed) {
    for (let panel = firstPanel; panel < full; panel++) {
      multiply(panelAt(panel), 1, c + ROW_BYTES * panel, p.added, 4 * p.columns);
    }
  } else if (full > firstPanel) {
    multiply(panelAt(firstPanel), full - firstPanel, c + ROW_BYTES * firstPanel, p.added, 4 * p.columns);
  }
  if (full === lastPanel) return;
  const narrow = scratch + 4 * panelScratch(p.inner, p.transposed);
  multiply(panelAt(full), 1, narrow, false, ROW_BYTES);
  copyColumns(heap, { from: narrow, to: c + ROW_BYTES * full, rows, columns: p.columns, added: p.added });
}

/** The first columns of a panel to the last ones of c. */
function copyColumns(
  heap: Heap,
  { from, to, rows, columns, added }: { from: number; to: number; rows: number; columns: number; added: boolean },
): void {
  const width = columns % PANEL;
  const values = heap.floats(from, PANEL * rows);
  const c = heap.floats(to, columns * (rows - 1) + width);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) {
      const value = values[PANEL * row + i]!;
      c[columns * row + i] = added ? c[columns * row + i]! + value : value;
    }
  }
}

interface ProductCode {
  readonly tiles: Run;
  readonly rowOfPanels: Run;
  readonly row: Run;
  readonly transposes: Run;
}
const known = new WeakMap<object, ProductCode>();

function codeFor(memory: object): ProductCode {
  const found = known.get(memory);
  if (found) return found;
  const made = {
    tiles: instantiate(tilesCode(ROWS, 1), memory),
    rowOfPanels: instantiate(tilesCode(1, PANELS), memory),
    row: instantiate(tilesCode(1, 1), memory),
    transposes: instantiate(transposesCode(), memory),
  };
  known.set(memory, made);
  return made;
}

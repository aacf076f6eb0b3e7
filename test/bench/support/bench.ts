/** A bench prints what it measures as it goes and gives the object that its last line will be. `full`: what takes minutes or gigabytes too. */
export type Bench = (print: (line: string) => void, options: { full: boolean }) => Promise<BenchResult>;

/** Ratios are against the baseline that `baseline` names, measured in the same run doing the same work. */
export interface BenchResult {
  readonly bench: string;
  readonly baseline: string;
  readonly [figure: string]: unknown;
}

/** Rows of equal length as lines with aligned columns; the first row is the heading. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? shorten(cell) : cell)));
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}

/** Four significant digits, which is more than a bench can tell. */
export function shorten(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

export function round(value: number): number {
  return Number(value.toPrecision(4));
}

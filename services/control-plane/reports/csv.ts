import type { Row } from './training-log.ts';

/**
 * The rows of a history as CSV (RFC 4180, with the line ends of Unix), a column for each key that any of them has, in the order of their first appearance. Yields whole lines, many
 * at a time. Empty cells were not recorded, or are NaN, which pandas and spreadsheets read from an empty cell as well.
 * @param ofNone the columns where there are no rows yet, so that a reader finds a header
 */
export function* renderCsv(rows: readonly Row[], ofNone: readonly string[]): Generator<string> {
  const columns = rows.length === 0 ? ofNone : columnsOf(rows);
  yield `${columns.map(cell).join(',')}\n`;
  for (let at = 0; at < rows.length; at += LINES_AT_ONCE) {
    const lines = rows
      .slice(at, at + LINES_AT_ONCE)
      .map((row) => columns.map((key) => (Object.hasOwn(row, key) ? cell(row[key]) : '')).join(','));
    yield `${lines.join('\n')}\n`;
  }
}

const LINES_AT_ONCE = 1000;

/** Keys that a hostile file can make us write into every line are bounded. */
const MAX_COLUMNS = 200;

export function columnsOf(rows: readonly Row[]): string[] {
  const seen = new Set<string>();
  for (const row of rows) {
    for (const key of Object.keys(row)) if (seen.size < MAX_COLUMNS) seen.add(key);
  }
  return [...seen];
}

function cell(value: unknown): string {
  if (value === null || value === undefined || value === 'NaN') return '';
  if (typeof value === 'number') return Number.isNaN(value) ? '' : String(value);
  if (value === 'Infinity' || value === '-Infinity') return value;
  return quoted(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
}

/** A spreadsheet takes a cell that begins like this for a formula and runs it; an apostrophe makes it text (OWASP, CSV injection). */
function quoted(text: string): string {
  const harmless = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

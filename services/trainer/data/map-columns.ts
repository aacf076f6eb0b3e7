import type { RunSpec } from '../../contracts/run-spec.ts';
import { RowError, type RowPlace } from './row.ts';

export type Columns = RunSpec['data']['columns'];
type Fields = Readonly<Record<string, unknown>>;

/** Columns of which a row may have only one. A data set whose prompt is named may have others of these names for other purposes. */
const rivals: Readonly<Record<string, readonly string[]>> = {
  prompt: ['messages'],
  messages: ['prompt'],
  completion: ['answer'],
  answer: ['completion'],
};

/**
 * Gives columns the names that Tandem knows; under their own names they stay as well.
 * @throws RowError for a row without a column that is named
 */
export function mapColumns(fields: Fields, columns: Columns, at: Pick<RowPlace, 'path' | 'line'>): Fields {
  const named = Object.entries(columns).filter((entry): entry is [string, string] => entry[1] !== null);
  if (named.length === 0) return fields;
  const mapped: Record<string, unknown> = { ...fields };
  for (const [ours] of named) {
    for (const rival of rivals[ours] ?? []) if (!named.some(([name]) => name === rival)) delete mapped[rival];
  }
  for (const [ours, theirs] of named) {
    if (!Object.hasOwn(fields, theirs)) {
      const has = Object.keys(fields).slice(0, 20).join(', ');
      throw new RowError(
        at,
        `has no column ${JSON.stringify(theirs)}; it has ${has}`,
        `Set data.columns.${ours} to one of them.`,
      );
    }
    mapped[ours] = fields[theirs];
  }
  return mapped;
}

import { TrainerError } from '../failure.ts';

/** Where a row stands, for messages and for ids. */
export interface RowPlace {
  readonly path: string;
  /** Whether the file is CSV or TSV, for remedies. */
  readonly isTable: boolean;
  /** Line of the file on which the row begins, from 1. */
  readonly line: number;
  /** The id of a row that has none of its own: `train_4`. */
  readonly name: string;
}

/** One record of a data set, whatever its file's format, with its columns renamed. */
export interface Row {
  readonly place: RowPlace;
  readonly columns: Readonly<Record<string, unknown>>;
}

/** A row that cannot be used; with `data.on_invalid: skip` it is left out. */
export class RowError extends TrainerError {
  constructor({ path, line }: Pick<RowPlace, 'path' | 'line'>, problem: string, remedy: string) {
    super('invalid_data', `${path}:${line}: ${problem}`, remedy);
    this.name = 'RowError';
  }
}

/** How a row is given right, in the words of its file: as columns of a table, or as JSON. */
export function giveRow({ isTable }: Pick<RowPlace, 'isTable'>, columns: string, json: string): string {
  return isTable
    ? `Give the file the columns ${columns}, or name those it has in data.columns.`
    : `Give each line as ${json}.`;
}

/** For what is there and empty. */
export const FILL_OR_SKIP = 'Fill it in, remove the row, or leave out all such rows with data.on_invalid: skip.';

import { TrainerError } from '../failure.ts';

/** Where a row stands, for messages and for ids. */
export interface RowPlace {
  readonly path: string;
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

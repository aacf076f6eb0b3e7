import { ProblemError } from '../api/problem-error.ts';

/** Records came that do not follow what is stored. `expected` is the number the next one must have. */
export class RecordGapError extends ProblemError {
  readonly expected: number;
  readonly got: number;

  constructor(expected: number, got: number) {
    super('record-gap', `Record ${got} came where ${expected} was expected; send again from record ${expected}.`);
    this.name = 'RecordGapError';
    this.expected = expected;
    this.got = got;
  }
}

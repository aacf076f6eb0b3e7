export type CheckpointErrorCode =
  | 'no_weights'
  | 'missing_file'
  | 'size_mismatch'
  | 'hash_mismatch'
  | 'invalid_file'
  | 'state_mismatch';

/** A checkpoint that cannot be used or written. `file` is the path it is about; the message says what was expected and the remedy. */
export class CheckpointError extends Error {
  readonly code: CheckpointErrorCode;
  readonly file: string;

  constructor(code: CheckpointErrorCode, file: string, problem: string, options?: ErrorOptions) {
    super(`${file} ${problem}`, options);
    this.name = 'CheckpointError';
    this.code = code;
    this.file = file;
  }
}

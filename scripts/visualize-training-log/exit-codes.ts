/** From sysexits.h, so that a caller can tell what was wrong. */
export const EXIT = {
  usage: 64,
  /** The log is no training log, or is damaged. */
  data: 65,
  /** There is no such log. */
  noInput: 66,
  /** The control plane does not answer. */
  unavailable: 69,
  /** What was asked for cannot be written. */
  cannotCreate: 73,
} as const;

/** Ends a script with one line and a code. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

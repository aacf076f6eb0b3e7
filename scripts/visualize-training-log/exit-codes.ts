import { ScriptError } from '../train/script-error.ts';

/** From sysexits.h, so that a caller can tell what was wrong. */
export const EXIT = {
  /** The log is no training log, or is damaged. */
  data: 65,
  /** There is no such log. */
  noInput: 66,
  /** The control plane does not answer. */
  unavailable: 69,
  /** What was asked for cannot be written. */
  cannotCreate: 73,
} as const;

/** What is wrong with a log, or with what was asked for; its code is one of `EXIT`. */
export class ReportError extends ScriptError {
  override readonly name = 'ReportError';
}

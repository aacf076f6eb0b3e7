/** Ends a script with a line and an exit code, one of sysexits.h. */
export class ScriptError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The exit code of what a script has thrown: its own, or 1. */
export function exitCodeOf(error: unknown): number {
  return error instanceof ScriptError ? error.exitCode : 1;
}

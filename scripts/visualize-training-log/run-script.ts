import { UsageError } from '../train/options.ts';
import { EXIT, ReportError } from './exit-codes.ts';

/** Runs a script to its end: what goes wrong is one line on stderr and an exit code. */
export async function runScript(name: string, usage: string, script: () => Promise<void>): Promise<void> {
  try {
    await script();
  } catch (error) {
    const { message } = error as Error;
    console.error(`${name}: ${message}`);
    if (error instanceof UsageError) console.error(usage);
    process.exitCode =
      error instanceof UsageError ? EXIT.usage : error instanceof ReportError ? error.exitCode : EXIT.unavailable;
  }
}

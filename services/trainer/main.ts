import { inspect } from 'node:util';
import { createSteadyClock } from '../platform/steady-clock.ts';
import { surviveOutputErrors } from '../platform/survive-output-errors.ts';
import { readAttemptEnvironment } from './attempt-environment.ts';
import { explainFailure } from './failure.ts';
import { runAttempt } from './run-attempt.ts';

/** The trainer's program. SIGTERM and SIGINT mean: save a checkpoint, then exit with 0. */
async function main(): Promise<number> {
  const terminate = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => terminate.abort());
  try {
    const environment = await readAttemptEnvironment(process.env);
    return await runAttempt({
      environment,
      terminate: terminate.signal,
      now: Date.now,
      steady: createSteadyClock(),
      complain: (error) => process.stderr.write(`${inspect(error)}\n`),
    });
  } catch (error) {
    if (terminate.signal.aborted) return 0;
    const { message, remedy, exitCode } = explainFailure(error);
    process.stderr.write(`tandem trainer: ${message} ${remedy}\n`);
    return exitCode;
  }
}

surviveOutputErrors();
process.exitCode = await main();
// Idle keep-alive connections would hold the process back.
process.exit();

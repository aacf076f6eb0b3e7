import process from 'node:process';
import { ModelError } from '../contracts/model-error.ts';
import { EngineMemoryError } from '../model/errors.ts';
import { writeFileAtomic } from '../platform/atomic-file.ts';
import { onShutdown } from '../platform/shutdown.ts';
import { surviveOutputErrors } from '../platform/survive-output-errors.ts';
import { ArgumentError, parseServerArguments } from './arguments.ts';
import { startServer } from './start-server.ts';

/** sysexits(3): a wrong command line, input that cannot be used, a service that cannot be offered, an internal error, no memory. */
const EXIT = { usage: 64, noInput: 66, unavailable: 69, software: 70, memory: 71 } as const;
/** How long answers to failed requests may take to leave a dying process. */
const LAST_WORDS_MS = 500;

surviveOutputErrors();
try {
  await main();
} catch (error) {
  complain(describe(error));
  process.exit(exitCodeOf(error));
}

async function main(): Promise<void> {
  const settings = parseServerArguments(process.argv.slice(2));
  const server = await startServer(settings, {
    report: (message, error) => complain(`${message}: ${error instanceof Error ? error.stack : String(error)}`),
    onDeath(error) {
      complain(`the engine stopped: ${error.stack ?? error.message}`);
      setTimeout(() => process.exit(EXIT.software), LAST_WORDS_MS);
    },
  });
  onShutdown({ close: () => server.close(), failed: (error) => complain(describe(error)), deadlineMs: 5000 });
  if (settings.readyFile !== null) {
    const ready = { url: `${server.origin}/v1`, pid: process.pid };
    await writeFileAtomic(settings.readyFile, `${JSON.stringify(ready)}\n`);
  }
  process.stdout.write(`serving ${settings.servedModelName} at ${server.origin}/v1\n`);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ArgumentError) return EXIT.usage;
  if (error instanceof EngineMemoryError) return EXIT.memory;
  if (error instanceof ModelError) return EXIT.noInput;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return EXIT.noInput;
  return code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL' ? EXIT.unavailable : EXIT.software;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function complain(line: string): void {
  process.stderr.write(`inference: ${line}\n`);
}

import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

/*
 * Calls a user's function: `node function-host.main.js <file> <name>`. Requests come as lines on standard input, replies go to descriptor 3, so that whatever the
 * function prints does no harm. Ends when its input does, or, in the middle of a call that hangs, when the trainer is gone; it leads
 * a process group, which ends with it.
 */

new Worker(
  `const parent = ${process.ppid}; setInterval(() => { if (process.ppid !== parent) process.kill(0, 'SIGKILL') }, 500)`,
  { eval: true },
).unref();

type Scoring = (completions: unknown, columns: Record<string, unknown>) => unknown;
interface Request {
  readonly id: number;
  readonly completions: readonly string[];
  readonly prompts: readonly unknown[];
  readonly answers: readonly unknown[];
  readonly columns: Record<string, unknown>;
}

const [file = '', name = ''] = process.argv.slice(2);
const replies = createWriteStream('', { fd: 3 });
const reply = (message: unknown) => replies.write(`${JSON.stringify(message, numbers)}\n`);

/** JSON has no words for these, and null would hide which it was. */
function numbers(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function explain(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

async function load(): Promise<Scoring> {
  const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const found = module[name] ?? (module['default'] as Record<string, unknown> | undefined)?.[name];
  if (typeof found !== 'function')
    throw new Error(`it exports no function ${name}; it has ${Object.keys(module).join(', ')}`);
  return found as Scoring;
}

async function serve(score: Scoring): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, completions, prompts, answers, columns } = JSON.parse(line) as Request;
    try {
      reply({ id, scores: await score(completions, { ...columns, prompts, answers }) });
    } catch (error) {
      printError(error);
      reply({ id, error: explain(error) });
    }
  }
  process.kill(0, 'SIGKILL');
}

function printError(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
}

try {
  const score = await load();
  reply({ ready: true });
  await serve(score);
} catch (error) {
  printError(error);
  replies.end(`${JSON.stringify({ ready: false, error: explain(error) })}\n`, () => process.exit(1));
}

import { spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
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
  readonly completion_ids: readonly (readonly number[])[];
  readonly prompts: readonly unknown[];
  readonly answers: readonly unknown[];
  readonly columns: Record<string, unknown>;
}

const [file = '', name = ''] = process.argv.slice(2);
const replies = createWriteStream('', { fd: 3 });
const reply = (message: unknown) => replies.write(`${JSON.stringify(message, numbers)}\n`);

/** JSON has no words for these, and null would hide which it was, or be taken for "no score". */
function numbers(_: string, value: unknown): unknown {
  return value === undefined || (typeof value === 'number' && !Number.isFinite(value)) ? String(value) : value;
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = placeIn(error.stack ?? '') || (error instanceof SyntaxError ? placeIn(checkSyntax()) : '');
  return `${error.name}: ${error.message}${place}`;
}

/** What Node.js says of the file alone: the stack of a module that cannot be parsed does not name it. */
function checkSyntax(): string {
  return spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 10_000 }).stderr;
}

/** The innermost place of a stack in the user's files: of the function itself, or of what lies beside it and is no package. */
function placeIn(stack: string): string {
  const directory = dirname(existsSync(file) ? realpathSync(file) : file);
  const own = stack.split('\n').filter((line) => !line.includes(import.meta.url) && !line.includes('node_modules/'));
  for (const line of own) {
    for (const root of [`${pathToFileURL(directory).href}/`, `${directory}/`]) {
      const at = line.indexOf(root);
      const found = at < 0 ? null : /^([^:]+):(\d+)/.exec(line.slice(at + root.length));
      if (found) return ` (${decodeURI(found[1]!)}, line ${found[2]})`;
    }
  }
  return '';
}

async function load(): Promise<Scoring> {
  const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const exported: Record<string, unknown> = { ...(module['default'] as object | undefined), ...module };
  const found = exported[name];
  if (typeof found !== 'function') {
    const has = Object.keys(exported).filter((key) => typeof exported[key] === 'function');
    throw new Error(`it exports no function ${name}; it exports ${has.join(', ') || 'none'}`);
  }
  return found as Scoring;
}

async function serve(score: Scoring): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, completions, columns, ...rest } = JSON.parse(line) as Request;
    try {
      reply({ id, scores: await score(completions, { ...columns, ...rest }) });
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

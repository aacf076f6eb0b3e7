import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { programFile } from '../../../platform/program-file.ts';
import * as failures from './function-failures.ts';
import { PYTHON_HOST } from './python-host.ts';
import type { ScoringError } from './scorer.ts';

/** A user's function, in a process of its own. */
export interface FunctionProcess {
  /** Starts it if it does not run. @throws ScoringError when the file cannot be loaded */
  ready(): Promise<void>;
  /** One call; calls wait for one another. A process that hangs or ends is replaced by a new one at the next call. @throws ScoringError */
  call(request: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<unknown>;
  close(): Promise<void>;
}

interface Reply {
  readonly ready?: boolean;
  readonly id?: number;
  readonly scores?: unknown;
  readonly error?: string;
  /** Whether the error is that memory ran out. */
  readonly starved?: boolean;
}

interface Running {
  readonly child: ChildProcess;
  /** Settles when it is gone, and its pipes with it. */
  readonly gone: Promise<unknown>;
  /** The end of what it printed. */
  printed: string;
  /** Whether V8 has said that its heap is full. */
  starved: boolean;
  /** What waits for a reply, with the number of its call, 0 while it is loaded; null once it is answered. */
  waiting: {
    readonly id: number;
    readonly resolve: (reply: Reply) => void;
    readonly reject: (error: ScoringError) => void;
  } | null;
}

const PROGRAM = 'function-host.main.js';
/** Importing large libraries takes its time. */
const LOAD_MS = 120_000;
const PRINTED = 2000;
/** In which its last words arrive once it has ended. Pipes may stay open for as long as something lives that it started. */
const LAST_WORDS_MS = 200;
/** What it may need of our environment to find its libraries. Everything else, keys among it, is not for it. */
const INHERITED = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'VIRTUAL_ENV',
  'PYTHONPATH',
  'PYENV_ROOT',
  'LD_LIBRARY_PATH',
];

export function createFunctionProcess(params: {
  readonly file: string;
  readonly name: string;
  readonly timeoutMs: number;
  readonly memoryMb: number;
}): FunctionProcess {
  const { file, name, timeoutMs, memoryMb } = params;
  const isPython = file.endsWith('.py');
  let running: Running | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  let calls = 0;
  let closed = false;

  function start(): Running {
    const [command, ...args] = commandFor(file, name, memoryMb);
    const child = spawn(command!, args, {
      env: environment(),
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      // In a process group of its own, which ends with it: the function may start processes too.
      detached: true,
    });
    const gone = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      if (child.pid === undefined) resolve();
    });
    const started: Running = { child, gone, printed: '', starved: false, waiting: null };
    // It is waited for by whoever asked it something, not by the process.
    for (const output of [child.stdout, child.stderr] as const) {
      output!.on('data', (text: Buffer) => {
        const printed = started.printed + text.toString();
        started.starved ||= failures.V8_STARVED.test(printed);
        started.printed = printed.slice(-PRINTED);
      });
    }
    // A broken pipe is told by the end of the process.
    child.stdin!.on('error', () => {});
    createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => settle(started, line));
    child.on('error', (error) => ended(started, failures.notStarted(command!, error)));
    child.on('exit', () => {
      killGroup(child);
      const timer = setTimeout(() => {
        for (const pipe of child.stdio) pipe?.destroy();
      }, LAST_WORDS_MS);
      void gone.then(() => clearTimeout(timer));
    });
    child.on('close', (code, killed) =>
      ended(started, failures.explainEnd(started, { code, killed, isPython, memoryMb })),
    );
    return started;
  }

  function settle(which: Running, line: string): void {
    const { waiting } = which;
    which.waiting = null;
    const reply = parseReply(line);
    if (reply !== null && (reply.id ?? 0) === waiting?.id) waiting.resolve(reply);
    else waiting?.reject(failures.spokeAside(line));
  }

  function ended(which: Running, why: ScoringError): void {
    if (running === which) running = null;
    const { waiting } = which;
    which.waiting = null;
    waiting?.reject(why);
  }

  async function kill(which: Running): Promise<void> {
    if (running === which) running = null;
    killGroup(which.child);
    await which.gone;
  }

  /** The next reply, or the end of the process that does not give one. */
  async function answer(
    which: Running,
    { id, limitMs, late }: { readonly id: number; readonly limitMs: number; readonly late: ScoringError },
    signal?: AbortSignal,
  ): Promise<Reply> {
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<Reply>((resolve, reject) => {
        which.waiting = { id, resolve, reject };
        timer = setTimeout(() => reject(late), limitMs);
        onAbort = () => reject(signal?.reason);
        signal?.addEventListener('abort', onAbort, { once: true });
        if (signal?.aborted) onAbort();
      });
    } catch (error) {
      // Its reply would be taken for that to the next call.
      await kill(which);
      throw error;
    } finally {
      which.waiting = null;
      clearTimeout(timer);
      if (onAbort) signal?.removeEventListener('abort', onAbort);
    }
  }

  async function ensure(signal?: AbortSignal): Promise<Running> {
    // What waited for its turn must not start the process again.
    signal?.throwIfAborted();
    if (closed) throw failures.closed();
    if (running !== null) return running;
    const started = start();
    running = started;
    const late = failures.tooSlowToLoad(LOAD_MS);
    const { error, starved } = await answer(started, { id: 0, limitMs: LOAD_MS, late }, signal);
    if (error === undefined) return started;
    await kill(started);
    throw starved ? failures.outOfMemory(memoryMb, isPython) : failures.notLoaded(error);
  }

  async function call(request: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<unknown> {
    const which = await ensure(signal);
    const id = ++calls;
    which.child.stdin!.write(`${JSON.stringify({ ...request, id })}\n`);
    const late = failures.tooSlow(timeoutMs);
    const reply = await answer(which, { id, limitMs: timeoutMs, late }, signal);
    if (reply.starved) throw failures.outOfMemory(memoryMb, isPython);
    if (reply.error !== undefined) throw failures.threw(reply.error);
    return reply.scores;
  }

  /** One at a time, in the order in which they were asked for. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  }

  return {
    ready: () => inTurn(async () => void (await ensure())),
    call: (request, signal) => inTurn(() => call(request, signal)),
    async close() {
      closed = true;
      if (running !== null) await kill(running);
      await turn;
    },
  };
}

/** With all that it started and that did not leave its group. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}

function parseReply(line: string): Reply | null {
  try {
    const reply: unknown = JSON.parse(line);
    return typeof reply === 'object' && reply !== null ? reply : null;
  } catch {
    return null;
  }
}

function commandFor(file: string, name: string, memoryMb: number): string[] {
  if (file.endsWith('.py')) return ['python3', '-u', '-c', PYTHON_HOST, file, name, `${memoryMb}`];
  return [process.execPath, `--max-old-space-size=${memoryMb}`, programFile(import.meta.url, PROGRAM), file, name];
}

function environment(): Record<string, string> {
  const kept = INHERITED.map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(kept.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

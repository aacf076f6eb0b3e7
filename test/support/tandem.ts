import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checkpoint } from '../../services/contracts/checkpoint.ts';
import type { Evaluation } from '../../services/contracts/evaluation.ts';
import type { RunEvent } from '../../services/contracts/event.ts';
import type { Run } from '../../services/contracts/run.ts';
import { removeTree } from '../../services/platform/testing/remove-tree.ts';

const root = resolve(import.meta.dirname, '../..');
const CONTROL_PLANE = 'services/control-plane/main.js';

/** A real control plane in a process of its own, with a home of its own, driven over HTTP as a user would. */
export interface Tandem {
  url: string;
  home: string;
  outputs: string;
  directory: string;
  process: () => ChildProcess;
  /** SIGKILL, as a machine does it. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends the control plane, kills what it has started and removes its home. */
  dispose(): Promise<void>;
  post<T>(path: string, body?: unknown): Promise<T>;
  patch<T>(path: string, body: unknown): Promise<T>;
  get<T>(path: string): Promise<T>;
  run(id: string): Promise<Run>;
  /** Waits until `ready`, and fails with the run as it is after `seconds`. */
  until(id: string, ready: (run: Run) => boolean, seconds?: number): Promise<Run>;
  /** Waits for the end of a run, and fails with its message unless it succeeded. */
  untilSucceeded(id: string, seconds?: number): Promise<Run>;
  events(id: string): Promise<RunEvent[]>;
  evaluations(id: string): Promise<Evaluation[]>;
  checkpoints(id: string): Promise<Checkpoint[]>;
  /** The run's tree on the host. */
  tree(run: Run): string;
  serverLog(): string;
}

/**
 * Starts a control plane, with a home and outputs of its own unless they are given. Needs `npm run build` to have been run; `main` is a file of what it builds.
 */
export async function startTandem(env: Record<string, string> = {}, main = CONTROL_PLANE): Promise<Tandem> {
  const mainFile = join(root, 'dist', main);
  if (!existsSync(mainFile)) throw new Error('dist/ is missing: run `npm run build` first');
  const directory = mkdtempSync(join(tmpdir(), 'tandem-test-'));
  const home = env['TANDEM_HOME'] ?? join(directory, 'home');
  const outputs = env['TANDEM_OUTPUTS'] ?? join(directory, 'outputs');
  const log = join(directory, 'server.log');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;

  async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async function start(): Promise<void> {
    const output = openSync(log, 'a');
    const started = spawn(process.execPath, [mainFile], {
      cwd: directory,
      env: {
        PATH: process.env['PATH'] ?? '',
        PORT: String(port),
        TANDEM_HOME: home,
        TANDEM_OUTPUTS: outputs,
        TANDEM_DATA_ROOTS: directory,
        // No test asks the real hub.
        HF_ENDPOINT: 'http://127.0.0.1:9',
        // The engine of all tests and its threads (vitest.config.ts), whatever is installed here.
        TANDEM_TF: process.env['TANDEM_TF'] ?? 'wasm',
        TANDEM_THREADS: process.env['TANDEM_THREADS'] ?? '',
        ...env,
      },
      stdio: ['ignore', output, output],
    });
    child = started;
    closeSync(output);
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(50)) {
      if (started.exitCode !== null || started.signalCode !== null) break;
      if (
        await fetch(`${url}/readyz`).then(
          (r) => r.ok,
          () => false,
        )
      )
        return;
    }
    throw new Error(`the control plane did not become ready:\n${readFileSync(log, 'utf8')}`);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child!.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  const tandem: Tandem = {
    url,
    home,
    outputs,
    directory,
    process: () => child!,
    kill: () => end('SIGKILL'),
    start,
    async dispose() {
      const runs = await request<{ runs: Run[] }>('GET', '/runs?limit=1000').catch(() => ({ runs: [] }));
      for (const { id, status } of runs.runs) {
        if (!['starting', 'running', 'stopping'].includes(status)) continue;
        for (const role of (await tandem.run(id)).attempts.at(-1)?.roles ?? []) killQuietly(role.pid);
      }
      await end('SIGTERM');
      await removeTree(directory);
    },
    post: (path, body) => request('POST', path, body),
    patch: (path, body) => request('PATCH', path, body),
    get: (path) => request('GET', path),
    run: (id) => request('GET', `/runs/${id}`),
    async until(id, ready, seconds = 120) {
      let run = await tandem.run(id);
      const pause = lasting.has(ready) ? PAUSE_MS.lasting : PAUSE_MS.passing;
      for (const deadline = Date.now() + seconds * 1000; !ready(run); run = await tandem.run(id)) {
        if (Date.now() > deadline)
          throw new Error(`not reached after ${seconds} s: ${JSON.stringify({ ...run, spec: undefined }, null, 1)}`);
        await sleep(pause);
      }
      return run;
    },
    async untilSucceeded(id, seconds) {
      const run = await tandem.until(id, ended, seconds);
      if (run.status !== 'succeeded') throw new Error(`${id} ${run.status} (${run.reason}): ${run.message}`);
      return run;
    },
    events: async (id) => (await request<{ events: RunEvent[] }>('GET', `/runs/${id}/events?limit=1000`)).events,
    evaluations: async (id) => (await request<{ evaluations: Evaluation[] }>('GET', `/runs/${id}/evals`)).evaluations,
    checkpoints: async (id) =>
      (await request<{ checkpoints: Checkpoint[] }>('GET', `/runs/${id}/checkpoints`)).checkpoints,
    tree: (run) => resolve(directory, run.output_dir),
    serverLog: () => readFileSync(log, 'utf8'),
  };
  await start();
  return tandem;
}

export const ended = (run: Run): boolean => ['succeeded', 'failed', 'cancelled', 'paused'].includes(run.status);

/** The run has ended and so have all its programs: the inference server outlives its trainer by a moment. */
export const atRest = (run: Run): boolean =>
  ended(run) && run.attempts.flatMap(({ roles }) => roles).every(({ state }) => state === 'exited' || state === 'lost');

/** States that nobody can miss. */
const lasting: ReadonlySet<(run: Run) => boolean> = new Set([ended, atRest]);
/** Between two looks at a run. Each costs four milliseconds of processor time, a twelfth of what a trainer uses meanwhile where it looks often. */
const PAUSE_MS = { passing: 50, lasting: 200 };

/** Process id of a role of the current attempt. */
export function pidOf(run: Run, name: 'trainer' | 'inference'): number {
  const pid = run.attempts.at(-1)?.roles.find(({ role }) => role === name)?.pid;
  if (!pid) throw new Error(`${run.id} has no ${name} running: ${run.status} (${run.reason}) ${run.message}`);
  return pid;
}

function killQuietly(pid: number | null): void {
  try {
    if (pid) process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The built tree that this file is part of. */
const dist = resolve(import.meta.dirname, '../../..');
const START_DEADLINE_MS = 120_000;
const POLL_MS = 5;

export interface ControlPlaneProcess {
  readonly url: string;
  /** From exec to the first 200 of `/readyz`, with what that said. */
  start(): Promise<{ seconds: number; adopted: number }>;
  end(signal: NodeJS.Signals): Promise<void>;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
}

/** A control plane in a process of its own, whose home is in `directory`. `main` is a built file below `dist/`. */
export async function controlPlaneProcess(params: {
  directory: string;
  main?: string;
  environment?: Record<string, string>;
}): Promise<ControlPlaneProcess> {
  const { directory, main = 'services/control-plane/main.js', environment = {} } = params;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = join(directory, 'control-plane.log');
  let child: ChildProcess | undefined;

  async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }

  return {
    url,
    get: (path) => request('GET', path),
    post: (path, body) => request('POST', path, body),
    async start() {
      const output = openSync(log, 'a');
      const startedAt = performance.now();
      const started = spawn(process.execPath, [join(dist, main)], {
        cwd: directory,
        env: {
          PATH: process.env['PATH'] ?? '',
          PORT: String(port),
          TANDEM_HOME: join(directory, 'home'),
          TANDEM_OUTPUTS: join(directory, 'outputs'),
          TANDEM_DATA_ROOTS: directory,
          ...environment,
        },
        stdio: ['ignore', output, output],
      });
      child = started;
      while (started.exitCode === null && performance.now() - startedAt < START_DEADLINE_MS) {
        const ready = await request<{ adopted: number }>('GET', '/readyz').catch(() => null);
        if (ready !== null) return { seconds: (performance.now() - startedAt) / 1000, adopted: ready.adopted };
        await sleep(POLL_MS);
      }
      throw new Error(`the control plane did not become ready:\n${readFileSync(log, 'utf8').slice(-2000)}`);
    },
    async end(signal) {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((done) => child?.once('exit', done));
      child.kill(signal);
      await gone;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

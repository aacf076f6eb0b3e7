import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFakeMlflow } from '../../services/control-plane/trackers/mlflow/mlflow-server.fixture.ts';

/** An MLflow tracking server, real or the fixture, and what it holds. */
export interface Mlflow {
  uri: string;
  /** Everything that was logged of a metric, by step; what is there twice is given twice. */
  history(run: string, metric: string): Promise<{ step: number; value: number | string }[]>;
  info(run: string): Promise<{ status: string; run_name: string }>;
  close(): Promise<void>;
}

/** The server that `TANDEM_MLFLOW` names, else the fixture. */
export async function startMlflow(): Promise<Mlflow> {
  const program = process.env['TANDEM_MLFLOW'] ?? '';
  return program === '' ? await startFixture() : await startRealMlflow(program);
}

async function startFixture(): Promise<Mlflow> {
  const fake = await startFakeMlflow();
  const runOf = (id: string) => {
    const run = fake.runs.find(({ info }) => info.run_id === id);
    if (run === undefined) throw new Error(`MLflow has no run ${id}`);
    return run;
  };
  return {
    uri: fake.uri,
    history: async (id, metric) => sorted(runOf(id).metrics.filter(({ key }) => key === metric)),
    info: async (id) => runOf(id).info,
    close: () => fake.close(),
  };
}

/** MLflow's own server, with a store of its own. */
export async function startRealMlflow(program: string): Promise<Mlflow> {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-mlflow-'));
  const port = await freePort();
  const uri = `http://127.0.0.1:${port}`;
  const store = ['--backend-store-uri', `sqlite:///${directory}/mlflow.db`];
  const artifacts = ['--artifacts-destination', `${directory}/artifacts`];
  const at = ['--host', '127.0.0.1', '--port', String(port), '--workers', '1'];
  const server = spawn(program, ['server', ...store, ...artifacts, ...at], { stdio: 'ignore', detached: true });
  const api = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`${uri}/api/2.0/mlflow/${path}`);
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  await untilHealthy(uri, server);
  return {
    uri,
    async history(id, metric) {
      const query = new URLSearchParams({ run_id: id, metric_key: metric });
      // Zeros are left out.
      const { metrics = [] } = await api<{ metrics?: { step?: number; value?: number | string }[] }>(
        `metrics/get-history?${query}`,
      );
      return sorted(metrics.map(({ step = 0, value = 0 }) => ({ step, value })));
    },
    info: async (id) =>
      (await api<{ run: { info: { status: string; run_name: string } } }>(`runs/get?run_id=${id}`)).run.info,
    async close() {
      // Its workers are processes of their own.
      if (server.pid !== undefined) process.kill(-server.pid, 'SIGKILL');
      await once(server, 'exit');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function sorted<T extends { step: number; value: number | string }>(points: readonly T[]) {
  return points.map(({ step, value }) => ({ step, value })).sort((a, b) => a.step - b.step);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function untilHealthy(uri: string, server: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + 100_000; Date.now() < deadline; await sleep(200)) {
    if (server.exitCode !== null) break;
    if (
      await fetch(`${uri}/health`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
  }
  throw new Error('MLflow did not begin to listen.');
}

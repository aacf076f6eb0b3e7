import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { resolveRunSpec } from '../../services/contracts/resolve-run-spec.ts';
import type { Run } from '../../services/contracts/run.ts';
import { readGpuProfiles } from '../../services/control-plane/runs/gpu-profiles.ts';
import { vllmCommand, vllmEnvironment } from '../../services/control-plane/runtimes/vllm-role.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';

const dist = resolve(import.meta.dirname, '../../dist');
const profile = (await readGpuProfiles(resolve(import.meta.dirname, '../../gpu-profiles'))).get('split-2')!;

let tandem: Tandem;
let small: SmallRuns;
const servers: ChildProcess[] = [];
beforeEach(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
});
afterEach(async () => {
  for (const server of servers.splice(0)) await kill(server);
  await tandem.dispose();
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

async function start(program: string, args: readonly string[], env: Record<string, string>, url: string) {
  const file = join(dist, program);
  if (!existsSync(file)) throw new Error('dist/ is missing: run `npm run build` first');
  const child = spawn(process.execPath, [file, ...args], { stdio: 'ignore', env: { ...process.env, ...env } });
  servers.push(child);
  for (let tries = 0; tries < 400; tries++, await sleep(50)) {
    const { ok } = await fetch(new URL('/health', url)).catch(() => ({ ok: false }));
    if (ok) return child;
  }
  throw new Error(`${program} does not answer at ${url}`);
}

/** As somebody starts a vLLM by hand: the command that the control plane would write. */
async function startFake(port: number): Promise<ChildProcess> {
  const model = { name: small.model, max_seq_length: 64 };
  const resolved = resolveRunSpec({ model, rollout: { max_new_tokens: 5 } });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const server = { spec: resolved.spec, profile, model: small.model, name: 'mine', host: '127.0.0.1', port };
  const url = `http://127.0.0.1:${port}`;
  return start('test/support/fake-vllm/main.js', vllmCommand(server), vllmEnvironment(server), url);
}
const own = (port: number) => ({ inference: { vllm: { api_base: `http://127.0.0.1:${port}/v1`, timeout: 30 } } });
const roles = (run: Run) => run.attempts.flatMap((attempt) => attempt.roles.map(({ role }) => role));

test('a run makes its rollouts on a vLLM of the user’s own, starts none, and outlives a restart of that one', async () => {
  const port = await freePort();
  const first = await startFake(port);
  const { id } = await tandem.post<Run>('/runs', small.grpo({ max_steps: 8, eval_steps: 0 }, own(port)));
  await tandem.until(id, ({ progress }) => (progress?.step ?? 0) >= 2);
  await kill(first);
  await sleep(500);
  await startFake(port);
  const run = await tandem.untilSucceeded(id);
  expect(roles(run)).toEqual(['trainer']);
  const started = (await tandem.events(id)).find(({ name }) => name === 'attempt_started');
  expect(started).toMatchObject({
    message: expect.stringContaining(`rollouts come from a server of your own at http://127.0.0.1:${port}/v1`),
    data: { inference: { kind: 'external', program: 'vllm' } },
  });
  const { lines } = await tandem.get<{ lines: { message: string }[] }>(`/runs/${id}/logs?tail=10000`);
  expect(lines.map(({ message }) => message).join('\n')).toContain('has to be found again');
});

test('VLLM_API_BASE names the server of all runs, also an embedded one, before what a spec says', async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/v1`;
  await tandem.dispose();
  tandem = await startTandem({ VLLM_API_BASE: url });
  small = await makeSmallRuns(tandem);
  const lora = ['--enable-lora', '--max-lora-rank', '4', '--max-loras', '2'];
  const args = ['--model', small.model, '--port', `${port}`, '--max-model-len', '64', ...lora];
  await start('services/inference/main.js', args, {}, url);
  const { id, warnings } = await tandem.post<Run>('/runs', small.grpo({ max_steps: 2, eval_steps: 0 }, own(9)));
  expect(warnings[0]).toBe(
    `VLLM_API_BASE is set: rollouts come from ${url}, not those of inference.vllm.api_base (http://127.0.0.1:9/v1)`,
  );
  expect(roles(await tandem.untilSucceeded(id))).toEqual(['trainer']);
});

test('a run on a server that makes something else of the model fails and says so', async () => {
  const port = await freePort();
  await startFake(port);
  const other = { model: { name: await otherModel(), max_seq_length: 64, lora: { r: 4 } } };
  const { id } = await tandem.post<Run>(
    '/runs',
    small.grpo({ max_steps: 2, eval_steps: 0 }, { ...own(port), ...other }),
  );
  const run = await tandem.until(id, ({ status }) => status === 'failed');
  expect(run).toMatchObject({
    reason: 'inference_failed',
    message: expect.stringContaining('does not compute what the trainer computes'),
  });
});

async function otherModel(): Promise<string> {
  const model = join(tandem.directory, 'other-model');
  await makeTinyModel(model, { seed: 99 });
  return model;
}

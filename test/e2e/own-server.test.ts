import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { createOwnServers } from '../support/own-server.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { freePort, startTandem, type Tandem } from '../support/tandem.ts';

let tandem: Tandem;
let small: SmallRuns;
const servers = createOwnServers();
beforeEach(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
});
afterEach(async () => {
  await servers.killAll();
  await tandem.dispose();
});

const startFake = (port: number) => servers.vllm({ port, model: small.model });
const own = (port: number) => ({ inference: { vllm: { api_base: `http://127.0.0.1:${port}/v1`, timeout: 30 } } });
const roles = (run: Run) => run.attempts.flatMap((attempt) => attempt.roles.map(({ role }) => role));

test('a run makes its rollouts on a vLLM of the user’s own, starts none, and outlives a restart of that one', async () => {
  const port = await freePort();
  const first = await startFake(port);
  const { id } = await tandem.post<Run>('/runs', small.grpo({ max_steps: 8, eval_steps: 0 }, own(port)));
  await tandem.until(id, ({ progress }) => (progress?.step ?? 0) >= 2);
  await servers.kill(first);
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
  await servers.embedded({ port, args });
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

import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { createOwnServers } from '../support/own-server.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { atRest, freePort, pidOf, type Tandem } from '../support/tandem.ts';
import { noContainers, startTandemInDocker } from '../support/tandem-in-docker.ts';
import { noFakeContainers, startTandemOnFakeDocker } from '../support/tandem-on-fake-docker.ts';

/** Trainers in containers, and a server of the user's own on their host: they meet in a directory of the host, under one path. */
const servers = createOwnServers();
let adapters: string;
let dispose: (() => Promise<void>) | undefined;
beforeEach(() => {
  adapters = join(mkdtempSync(join(tmpdir(), 'tandem-own-server-')), 'adapters');
});
afterEach(async () => {
  await servers.killAll();
  await dispose?.();
  dispose = undefined;
  rmSync(join(adapters, '..'), { recursive: true, force: true });
});

const specOf = (small: Awaited<ReturnType<typeof makeSmallRuns>>, port: number, rest: object = {}) => ({
  ...small.grpo({ max_steps: 6, save_steps: 2, eval_steps: 0 }),
  inference: { vllm: { api_base: `http://host.docker.internal:${port}/v1`, timeout: 30 } },
  recovery: { max_restarts: 1, backoff_seconds: 0 },
  ...rest,
});
const left = () => readdirSync(adapters);
/** With a trainer that is killed on the way: what each of the two attempts has left there is removed. */
async function expectRun(tandem: Tandem, spec: object): Promise<string> {
  const { id } = await tandem.post<Run>('/runs', spec);
  const running = await tandem.until(id, ({ status, progress }) => status === 'running' && (progress?.step ?? 0) >= 2);
  const [own] = left();
  expect(own).toMatch(new RegExp(`${id}\\.a1$`));
  expect(statSync(join(adapters, own!, 'adapters')).mode & 0o777, 'others may read it').toBe(0o755);
  process.kill(pidOf(running, 'trainer'), 'SIGKILL');
  const run = await tandem.untilSucceeded(id, 120);
  expect(run.attempts.map(({ roles }) => roles.map(({ role }) => role))).toEqual([['trainer'], ['trainer']]);
  await tandem.until(id, atRest);
  await expect.poll(left, { timeout: 20_000 }).toEqual([]);
  return id;
}

test.skipIf(noFakeContainers)(
  `a run on the fake daemon makes its rollouts there and leases for its trainer alone ${noFakeContainers ?? ''}`,
  async () => {
    const gpus = [0, 1].map((i) => `GPU-00000000-0000-4000-8000-00000000000${i}`);
    const file = join(adapters, '../two.yaml');
    writeFileSync(file, JSON.stringify({ gpus: gpus.map((uuid) => ({ uuid, memory_mib: 81_559 })) }));
    const env = { TANDEM_ADAPTERS_DIR: adapters, TANDEM_GPUS: file };
    const stage = await startTandemOnFakeDocker({ docker: { gpus }, env });
    dispose = stage.dispose;
    const small = await makeSmallRuns(stage.tandem);
    const port = await freePort();
    await servers.vllm({ port, model: small.model });
    const id = await expectRun(stage.tandem, specOf(small, port, { gpu_profile: 'split-2' }));
    const leased = (await stage.tandem.events(id)).filter(({ name }) => name === 'gpus_leased');
    for (const { data } of leased) {
      expect(data).toMatchObject({ inference: [], trainer: [expect.stringMatching(/^GPU-/)] });
    }
    expect(leased).toHaveLength(2);
    const cleaners = () => stage.fake.containers().filter(({ name }) => name.endsWith('.cleaner'));
    await expect.poll(cleaners, { timeout: 20_000 }).toEqual([]);
  },
);

describe.skipIf(noContainers)(`a real daemon ${noContainers ?? ''}`, () => {
  test('has trainers that find the server on their host, and leaves nothing of theirs there', async () => {
    const stage = await startTandemInDocker({ TANDEM_ADAPTERS_DIR: adapters });
    dispose = stage.dispose;
    const small = await makeSmallRuns(stage.tandem);
    const port = await freePort();
    // The host of its containers, as far as the network goes, is the daemon's own namespace.
    await servers.vllm({ port, host: '0.0.0.0', model: small.model, enter: stage.daemon.enter });
    await expectRun(stage.tandem, specOf(small, port));
    const ofAttempts = (...what: string[]) =>
      stage.daemon.docker(...what, '-q', '--filter', 'label=dev.tandem.attempt');
    await expect.poll(() => ofAttempts('ps', '-a'), { timeout: 20_000 }).toBe('');
    await expect.poll(() => ofAttempts('volume', 'ls'), { timeout: 20_000 }).toBe('');
  }, 240_000);
});

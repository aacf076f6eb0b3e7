import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { plainRole } from '../../services/control-plane/runtimes/runtime.contract.ts';
import type { RoleSpec, Runtime } from '../../services/control-plane/runtimes/runtime.ts';
import { dockerCaller } from '../support/docker-call.ts';
import { type DockerRuntimes, openDockerRuntimes } from '../support/docker-runtime.ts';
import { type FakeDocker, startFakeDocker } from '../support/fake-docker/fake-docker.ts';
import type { DockerFault } from '../support/fake-docker/faults.ts';

/** Each request of a start is disturbed in turn; scope: one role, one disturbance at a time, a daemon that keeps what it has answered. */
describe('The Docker runtime, disturbed at each request of a start', () => {
  let folder: string;
  let fake: FakeDocker;
  let runtimes: DockerRuntimes;
  /** The trainer's unless a test takes another one. */
  let spec: RoleSpec;
  let role: RoleSpec['identity']['role'];
  let runsOn: boolean;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tandem-input-'));
    writeFileSync(join(folder, 'weights'), 'model');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  beforeEach(() => {
    runsOn = true;
    role = 'trainer';
  });
  afterEach(close);

  const specOf: Record<RoleSpec['identity']['role'], () => RoleSpec> = {
    trainer: () => ({
      ...plainRole,
      identity: { run: 'run-00000001', attempt: 1, role: 'trainer', start: 1 },
      command: ['node', 'trainer'],
      files: { token: 'secret' },
      inputs: [folder],
      gpus: fake.gpus.slice(2, 4),
    }),
    // What it reads is copied as the trainer's is.
    inference: () => ({
      ...plainRole,
      identity: { run: 'run-00000001', attempt: 1, role: 'inference', start: 1 },
      command: ['vllm', 'serve'],
      files: { key: 'secret' },
      caches: ['VLLM_CACHE_ROOT'],
      health: ['true'],
      gpus: fake.gpus.slice(4, 6),
    }),
  };

  async function open(): Promise<Runtime> {
    fake = await startFakeDocker({
      gpus: 8,
      // Those that check inputs are over at once.
      behaviours: ({ HostConfig }) =>
        HostConfig?.NetworkMode === 'none' || !runsOn ? { exitCode: runsOn ? 0 : 7 } : null,
    });
    const { socketPath } = fake;
    const { call } = dockerCaller(socketPath);
    await call('POST', '/networks/create', { Name: 'agents' });
    const daemon = (await call('GET', '/info')).json.ID as string;
    runtimes = openDockerRuntimes({ socketPath, image: 'tandem', agentNetwork: 'agents', gpuDriver: 'nvidia', daemon });
    spec = specOf[role]();
    return runtimes.runtime;
  }

  async function close(): Promise<void> {
    await runtimes?.cleanUp();
    await fake?.close();
  }

  /** Disturbs the n-th request of a start, lets its control plane die, and has the next one start the same. */
  async function disturbed(n: number, fault: DockerFault): Promise<Runtime> {
    const first = await open();
    fake.faults.push({ on: /./, fault, skip: n, times: 1 });
    const before = fake.requests.length;
    const start = first.start(spec).catch(() => {});
    if (fault.kind === 'hang') await expect.poll(() => fake.requests.length - before, { interval: 5 }).toBe(n + 1);
    else await start;
    await nextControlPlane();
    const second = runtimes.reopen();
    await second.start(spec);
    return second;
  }

  async function nextControlPlane(): Promise<void> {
    await runtimes.abandon();
    fake.faults.length = 0;
  }

  async function requestsOfAStart(): Promise<string[]> {
    const runtime = await open();
    const before = fake.requests.length;
    await runtime.start(spec);
    const requests = fake.requests.slice(before);
    await close();
    return requests;
  }

  const isOurs = ({ name }: { name: string }) => name.includes('run-00000001.a1.');

  async function expectOneStart(runtime: Runtime, where: string): Promise<void> {
    expect(await runtime.observe(), where).toMatchObject([{ identity: spec.identity, state: 'running' }]);
    expect(fake.containers().filter(isOurs), where).toHaveLength(1);
    // A holding for each time that a container was started with a GPU: of each GPU one, of others none.
    expect(
      fake.gpuHistory.map(({ uuid }) => uuid),
      where,
    ).toEqual(spec.gpus);
    expect(fake.container(fake.containers().find(isOurs)!.id).body.HostConfig?.DeviceRequests, where).toMatchObject([
      { DeviceIDs: spec.gpus },
    ]);
  }

  async function expectCleared(runtime: Runtime, where: string): Promise<void> {
    await runtime.signal(spec.identity, 'KILL');
    await expect
      .poll(() => runtime.observe(), { message: where, interval: 5 })
      .toMatchObject([{ state: 'exited', exitCode: 137 }]);
    await runtime.remove(spec.identity);
    await runtime.removeShared(spec.identity);
    expect(await runtime.observe(), where).toEqual([]);
    expect(fake.networks(), where).toEqual(['agents']);
    expect(fake.containers().filter(isOurs), where).toEqual([]);
    expect(
      fake.volumes().filter((name) => name.includes('run-')),
      where,
    ).toEqual([]);
    expect(fake.gpuUse().size, where).toBe(0);
  }

  const faults: Record<string, () => DockerFault> = {
    'cut off before the daemon does it': () => ({ kind: 'cut', when: 'before' }),
    'cut off after the daemon has done it': () => ({ kind: 'cut', when: 'after' }),
    'answered with 500': () => ({ kind: 'answer', status: 500 }),
    'answered with 404': () => ({ kind: 'answer', status: 404 }),
    'answered with 409': () => ({ kind: 'answer', status: 409 }),
    'never answered': () => ({ kind: 'hang' }),
    'made of a daemon that is killed before it answers, with live-restore': () => ({
      kind: 'act',
      when: 'after',
      act: async () => {
        await fake.kill();
        await fake.start({ liveRestore: true });
      },
    }),
  };

  const cases = (['trainer', 'inference'] as const).flatMap((role) =>
    Object.entries(faults).map(([name, fault]) => ({ role, name, fault })),
  );
  it.each(
    cases,
  )('a start whose n-th request is $name ($role) is finished by the next control plane: one container, started once, with its GPUs, and all of it is cleared', async (each) => {
    role = each.role;
    const requests = await requestsOfAStart();
    expect(requests.length).toBeGreaterThan(8);
    for (const [n, request] of requests.entries()) {
      const where = `${n}: ${request}`;
      const runtime = await disturbed(n, each.fault());
      await expectOneStart(runtime, where);
      await expectCleared(runtime, where);
      if (n < requests.length - 1) await close();
    }
  });

  it.each([
    'trainer',
    'inference',
  ] as const)('a container that is lost while it runs (%s) is told to be gone, never to have ended', async (lost) => {
    role = lost;
    const runtime = await open();
    await runtime.start(spec);
    expect(await runtime.observe()).toMatchObject([{ identity: spec.identity, state: 'running' }]);
    fake.lose(fake.containers().find(isOurs)!.id);
    for (let i = 0; i < 3; i++) expect(await runtime.observe()).toEqual([]);
    // Neither by one who finds the daemon started anew, nor by the next control plane.
    await fake.kill();
    await fake.start({ liveRestore: true });
    await expect.poll(() => runtime.observe().catch(() => null), { interval: 5 }).toEqual([]);
    expect(await runtimes.reopen().observe()).toEqual([]);
    await runtime.remove(spec.identity);
    await runtime.removeShared(spec.identity);
    expect(fake.volumes().filter((name) => name.includes('run-'))).toEqual([]);
  });

  it('what a removal has left whose n-th request was cut off after it was done is cleared by the next control plane', async () => {
    for (let n = 0; ; n++) {
      const first = await open();
      await first.start(spec);
      await first.signal(spec.identity, 'KILL');
      await expect.poll(() => first.observe(), { interval: 5 }).toMatchObject([{ state: 'exited' }]);
      expect(await first.fetchFile(spec.identity, 'token')).not.toBeNull();
      fake.faults.push({ on: /./, fault: { kind: 'cut', when: 'after' }, skip: n, times: 1 });
      const isCut = await first.remove(spec.identity).then(
        () => false,
        () => true,
      );
      await nextControlPlane();
      const second = runtimes.reopen();
      for (const { identity } of await second.observe()) await second.remove(identity);
      for (const attempt of await second.listShared()) await second.removeShared(attempt);
      const left = readdirSync(runtimes.work, { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      );
      expect(left, `${n}`).toEqual([]);
      expect(fake.volumes().filter((name) => name.includes('run-'))).toEqual([]);
      if (!isCut) return;
      await close();
    }
  });

  it('tells the exit code of a container that ended at once, whichever request of its start was cut off after it was done', async () => {
    const requests = await requestsOfAStart();
    for (const [n, request] of requests.entries()) {
      const first = await open();
      await first.start({ ...spec, identity: { ...spec.identity, run: 'run-00000002' } });
      runsOn = false;
      fake.faults.push({ on: /./, fault: { kind: 'cut', when: 'after' }, skip: n, times: 1 });
      await first.start(spec).catch(() => {});
      await nextControlPlane();
      const second = runtimes.reopen();
      await second.start(spec);
      const own = async () => (await second.observe()).find(({ identity }) => identity.run === spec.identity.run);
      await expect
        .poll(own, { message: `${n}: ${request}`, interval: 5 })
        .toMatchObject({ state: 'exited', exitCode: 7 });
      runsOn = true;
      if (n < requests.length - 1) await close();
    }
  });
});

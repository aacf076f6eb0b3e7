import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDockerEngine } from '../../services/control-plane/runtimes/docker/engine/create-docker-engine.ts';
import { listForeign } from '../../services/control-plane/runtimes/docker/list-foreign.ts';
import { createNames } from '../../services/control-plane/runtimes/docker/naming.ts';
import { type FakeDocker, startFakeDocker } from '../support/fake-docker/fake-docker.ts';

let fake: FakeDocker;
beforeAll(async () => {
  fake = await startFakeDocker({ gpus: 2, behaviours: () => ({}) });
});
afterAll(() => fake.close());

describe('a container of others that names no device', () => {
  const listed = async (host: FakeDocker, given: { runtime?: string; devices?: string }) => {
    const engine = createDockerEngine({ socketPath: host.socketPath });
    const Env = given.devices === undefined ? [] : [`NVIDIA_VISIBLE_DEVICES=${given.devices}`];
    const HostConfig = { NetworkMode: 'none', ...(given.runtime === undefined ? {} : { Runtime: given.runtime }) };
    await engine.createContainer('theirs', { Image: 'tandem', Cmd: ['sleep', '60'], Env, HostConfig });
    await engine.startContainer('theirs');
    const found = await listForeign(engine, 'ours', new AbortController().signal);
    await engine.removeContainer('theirs', { force: true });
    return found.flatMap(({ requests }) => requests.flatMap(({ ids }) => ids));
  };

  it.each([
    ['all', 'nvidia', ['all']],
    ['0, 1', 'nvidia', ['0', '1']],
    ['GPU-7', 'nvidia-legacy', ['GPU-7']],
    ['MIG-9', 'nvidia', ['MIG-9']],
    ['none', 'nvidia', []],
    ['void', 'nvidia', []],
    ['', 'nvidia', []],
    [undefined, 'nvidia', []],
    // As CUDA images have it, to which nobody but that runtime listens.
    ['all', 'runc', []],
    ['all', undefined, []],
  ])('and has NVIDIA_VISIBLE_DEVICES=%s under the runtime %s was given %j', async (devices, runtime, expected) => {
    const given = { ...(devices === undefined ? {} : { devices }), ...(runtime === undefined ? {} : { runtime }) };
    expect(await listed(fake, given)).toEqual(expected);
  });

  it('has the runtime that the daemon gives to all', async () => {
    const host = await startFakeDocker({ gpus: 2, behaviours: () => ({}), info: { DefaultRuntime: 'nvidia' } });
    try {
      expect(await listed(host, { devices: 'all' })).toEqual(['all']);
      expect(await listed(host, { devices: 'all', runtime: 'runc' })).toEqual([]);
    } finally {
      await host.close();
    }
  });
});

it('lists the running containers of others that have asked for GPUs, and none of ours', async () => {
  const engine = createDockerEngine({ socketPath: fake.socketPath });
  const [gpu = ''] = fake.gpus;
  const asks = {
    DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: [gpu], Capabilities: [['gpu']] }],
    NetworkMode: 'none',
  };
  const ours = createNames('ours').labels.installation;
  const start = async (name: string, body: object) => {
    await engine.createContainer(name, { Image: 'tandem', Cmd: ['sleep', '60'], ...body });
    await engine.startContainer(name);
  };
  await start('jupyter', { HostConfig: asks });
  await start('web', { HostConfig: { NetworkMode: 'none' } });
  await start('trainer', { HostConfig: asks, Labels: ours });
  await engine.createContainer('not-started', { Image: 'tandem', Cmd: ['sleep', '60'], HostConfig: asks });

  const found = await listForeign(engine, 'ours', new AbortController().signal);
  expect(found).toEqual([
    { id: fake.container('jupyter').id, pid: expect.any(Number), requests: [{ ids: [gpu], count: 0 }] },
  ]);
});

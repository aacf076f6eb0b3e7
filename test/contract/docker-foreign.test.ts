import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDockerEngine } from '../../services/control-plane/runtimes/docker/engine/create-docker-engine.ts';
import { listForeign } from '../../services/control-plane/runtimes/docker/list-foreign.ts';
import { createNames } from '../../services/control-plane/runtimes/docker/naming.ts';
import { type FakeDocker, startFakeDocker } from '../support/fake-docker/fake-docker.ts';

let fake: FakeDocker;
beforeAll(async () => {
  fake = await startFakeDocker({ gpus: 2, behaviours: () => ({}) });
});
afterAll(() => fake.close());

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

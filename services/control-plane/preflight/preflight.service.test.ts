import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type FakeDocker, startFakeDocker } from '../../../test/support/fake-docker/fake-docker.ts';
import type { ReadInventory } from '../gpus/gpu.service.ts';
import { createDockerEngine } from '../runtimes/docker/engine/create-docker-engine.ts';
import { preflight } from './preflight.service.ts';
import { dockerSocket } from './read-docker.ts';
import { readDisks, readPort } from './read-host.ts';

let fake: FakeDocker;
beforeAll(async () => {
  fake = await startFakeDocker();
});
afterAll(() => fake.close());

const noGpus: ReadInventory = {
  ...{ source: 'none', read_at: null, driver_version: null, cuda_version: null },
  ...{ gpus: [], links: [], problems: [] },
};
const look = (socketPath: string, environment: Record<string, string> = { GBOX_API_KEY: 'key' }) =>
  preflight(
    {
      runtime: 'docker',
      environment,
      engine: createDockerEngine({ socketPath }),
      image: 'tandem',
      inventory: async () => noGpus,
      paths: ['/tmp', '/tmp/none/of/this'],
      ports: async () => [],
    },
    { probe: true, signal: new AbortController().signal },
  );
const verdictOf = async (name: string, socketPath: string) =>
  (await look(socketPath)).checks.find((each) => each.name === name);

it('looks at the daemon of this host, and starts nothing in it where there is no GPU', async () => {
  expect(await verdictOf('docker', fake.socketPath)).toMatchObject({
    verdict: 'ok',
    found: expect.stringMatching(/^Docker \d/),
  });
  expect(await verdictOf('GBOX_API_KEY', fake.socketPath)).toMatchObject({ verdict: 'ok' });
  expect(fake.requests.filter((line) => line.startsWith('POST'))).toEqual([]);
});

it.each([
  ['/tmp', 'ok'],
  ['/tmp/none/of/this', 'note'],
  ['/dev/null', 'missing'],
])('looks whether %s, where trainers leave adapters, is a directory', async (path, verdict) => {
  const { checks } = await look(fake.socketPath, { TANDEM_ADAPTERS_DIR: path });
  expect(checks.find(({ name }) => name === 'TANDEM_ADAPTERS_DIR')).toMatchObject({ verdict });
});

it.each([
  'hook',
  'cdi',
] as const)('says that GPUs which Docker gives (%s) are not seen, unless none is meant', async (gpuAccess) => {
  const host = await startFakeDocker({ gpus: 2, gpuAccess });
  try {
    const gpus = async (environment: Record<string, string>) =>
      (await look(host.socketPath, environment)).checks.find(({ name }) => name === 'gpus')?.verdict;
    expect(await gpus({})).toBe('warning');
    expect(await gpus({ TANDEM_GPUS: 'none' })).toBe('note');
  } finally {
    await host.close();
  }
});

it('says that there is no daemon as a check, not as an error', async () => {
  expect(await verdictOf('docker', '/tmp/no-such-docker.sock')).toMatchObject({
    verdict: 'missing',
    found: expect.stringMatching(/no-such-docker\.sock/),
  });
});

it('tells a free port from one that a control plane has and one that another program has', async () => {
  const answers = [() => '{"status":"ok","version":"0.1.0"}', () => 'hello'];
  const states = [];
  for (const answer of answers) {
    const server = createServer((_request, response) => response.end(answer()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    states.push((await readPort('PORT', port)).state);
    await new Promise((resolve) => server.close(resolve));
    if (states.length === 2) states.push((await readPort('PORT', port)).state);
  }
  expect(states).toEqual(['ours', 'taken', 'free']);
});

it('counts a disk once, and looks above what is not there yet', async () => {
  const disks = await readDisks(['/tmp', '/tmp/none/of/this']);
  expect(disks).toEqual([{ path: '/tmp', freeBytes: expect.any(Number) }]);
});

it('finds the socket where DOCKER_HOST names one', () => {
  expect(dockerSocket({ DOCKER_HOST: 'unix:///run/user/1000/docker.sock' })).toBe('/run/user/1000/docker.sock');
  expect(dockerSocket({ DOCKER_HOST: 'tcp://10.0.0.1:2375' })).toBe('/var/run/docker.sock');
});

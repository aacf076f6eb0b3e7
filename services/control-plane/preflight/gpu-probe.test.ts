import { afterEach, expect, it } from 'vitest';
import { type FakeDocker, startFakeDocker } from '../../../test/support/fake-docker/fake-docker.ts';
import { createDockerEngine } from '../runtimes/docker/engine/create-docker-engine.ts';
import { probeGpus } from './gpu-probe.ts';

let fake: FakeDocker | undefined;
afterEach(() => fake?.close());

async function probe(options: Parameters<typeof startFakeDocker>[0], image = 'tandem') {
  fake = await startFakeDocker({ gpus: 8, ...options });
  const engine = createDockerEngine({ socketPath: fake.socketPath });
  const { signal } = new AbortController();
  return await probeGpus({ engine, image, driver: 'nvidia', uuids: fake.gpus, signal });
}

it('counts the GPUs that a container sees, asks for exactly those of the host, and leaves nothing behind', async () => {
  let asked: unknown;
  const text = Array.from({ length: 8 }, (_, i) => `GPU ${i}: NVIDIA H100 (UUID: GPU-${i})\n`).join('');
  const answer = await probe({
    behaviours: (body) => {
      asked = body;
      return { prints: [{ text }], exitCode: 0 };
    },
  });
  expect(answer).toEqual({ kind: 'seen', gpus: 8 });
  expect(asked).toMatchObject({
    Entrypoint: ['nvidia-smi', '-L'],
    HostConfig: {
      DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: fake?.gpus }],
      CapDrop: ['ALL'],
      NetworkMode: 'none',
    },
  });
  expect(fake?.containers()).toEqual([]);
});

it('says what nvidia-smi said when it fails, and what the daemon said when nothing starts', async () => {
  const fails = { prints: [{ text: 'Failed to initialize NVML\n', to: 'stderr' as const }], exitCode: 255 };
  expect(await probe({ behaviours: () => fails })).toEqual({
    kind: 'failed',
    why: 'nvidia-smi ended with 255: Failed to initialize NVML',
  });
  await fake?.close();
  expect(await probe({ gpuAccess: 'none' })).toMatchObject({
    kind: 'failed',
    why: expect.stringMatching(/device driver/),
  });
  expect(fake?.containers()).toEqual([]);
});

it('is not run where its image is not', async () => {
  expect(await probe({}, 'other:1')).toMatchObject({ kind: 'not_run', why: expect.stringMatching(/build-image\.sh/) });
});

import { afterAll } from 'vitest';
import { type FakeDocker, startFakeDocker } from '../support/fake-docker/fake-docker.ts';
import { dockerApiContract } from './docker-api.contract.ts';

let fake: FakeDocker | undefined;
afterAll(() => fake?.close());

dockerApiContract('The fake daemon', async () => {
  fake = await startFakeDocker({
    processes: true,
    behaviours: ({ Entrypoint }) => (Entrypoint?.[0] === 'use-up-memory' ? { outOfMemory: true } : null),
  });
  const greedy = { command: ['use-up-memory'], memory: 2 ** 25 };
  return { socketPath: fake.socketPath, image: 'tandem', greedy, isolates: false };
});

import { afterAll, describe } from 'vitest';
import { dockerApiContract } from '../contract/docker-api.contract.ts';
import { missingSandbox } from '../support/docker-daemon/sandbox.ts';
import { type FakeDocker, startFakeDocker } from '../support/fake-docker/fake-docker.ts';

const opened: FakeDocker[] = [];
afterAll(() => Promise.all(opened.map((fake) => fake.close())));

async function connect(namespaces: boolean) {
  const fake = await startFakeDocker({
    processes: { namespaces },
    behaviours: ({ Entrypoint }) => (Entrypoint?.[0] === 'use-up-memory' ? { outOfMemory: true } : null),
  });
  opened.push(fake);
  const greedy = { command: ['use-up-memory'], memory: 2 ** 25 };
  return { socketPath: fake.socketPath, image: 'tandem', greedy, isolates: namespaces };
}

dockerApiContract('The fake daemon', () => connect(false));

const missing = missingSandbox();
describe.skipIf(missing)(missing ?? 'With a mount namespace for each container', () => {
  dockerApiContract('the fake daemon', () => connect(true));
});

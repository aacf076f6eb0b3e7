import { runtimeContract } from '../../services/control-plane/runtimes/runtime.contract.ts';
import { dockerCaller } from '../support/docker-call.ts';
import { openDockerRuntimes } from '../support/docker-runtime.ts';
import { startFakeDocker } from '../support/fake-docker/fake-docker.ts';

runtimeContract('the Docker runtime on the fake daemon', async () => {
  const fake = await startFakeDocker({ processes: true });
  await dockerCaller(fake.socketPath).call('POST', '/networks/create', { Name: 'agents' });
  const runtimes = openDockerRuntimes({ socketPath: fake.socketPath, image: 'tandem', agentNetwork: 'agents' });
  return {
    ...runtimes,
    cleanUp: async () => {
      await runtimes.cleanUp();
      await fake.close();
    },
  };
});

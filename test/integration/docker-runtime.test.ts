import { afterAll, beforeAll, describe } from 'vitest';
import { runtimeContract } from '../../services/control-plane/runtimes/runtime.contract.ts';
import { type DockerDaemon, missingDocker, startDockerDaemon } from '../support/docker-daemon/docker-daemon.ts';
import { openDockerRuntimes } from '../support/docker-runtime.ts';

const missing = missingDocker();
const AGENTS = 'agents';

describe.skipIf(missing !== null)(`a real Docker daemon ${missing ?? ''}`, () => {
  let daemon: DockerDaemon;
  let image: string;

  beforeAll(async () => {
    daemon = await startDockerDaemon();
    image = daemon.importBaseImage();
    daemon.docker('network', 'create', AGENTS);
  }, 60_000);
  afterAll(() => daemon.close());

  runtimeContract('the Docker runtime', async () =>
    openDockerRuntimes({ socketPath: daemon.socketPath, image, agentNetwork: AGENTS }),
  );
});

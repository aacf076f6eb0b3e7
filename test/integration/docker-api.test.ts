import { afterAll, describe } from 'vitest';
import { dockerApiContract } from '../contract/docker-api.contract.ts';
import {
  type DockerDaemon,
  importBaseImage,
  missingDocker,
  startDockerDaemon,
} from '../support/docker-daemon/docker-daemon.ts';

const given = process.env['TANDEM_DOCKER_HOST'];
const missing = given === undefined ? missingDocker() : null;

describe.skipIf(missing)(missing ?? 'A real daemon', () => {
  let daemon: DockerDaemon | undefined;
  afterAll(() => daemon?.close());

  dockerApiContract('dockerd', async () => {
    daemon = given === undefined ? await startDockerDaemon() : undefined;
    const host = daemon?.host ?? given!;
    const greedy = { command: ['tail', '/dev/zero'], memory: 2 ** 25 };
    return { socketPath: host.replace('unix://', ''), image: importBaseImage(host), greedy, isolates: true };
  });
});

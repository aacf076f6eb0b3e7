import { dockerRestartContract } from '../contract/docker-restart.contract.ts';
import { startFakeDocker } from '../support/fake-docker/fake-docker.ts';

dockerRestartContract('The fake daemon', async ({ liveRestore }) => ({
  daemon: await startFakeDocker({ processes: true, liveRestore }),
  image: 'tandem',
}));

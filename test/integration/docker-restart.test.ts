import { startFakeDocker } from '../support/fake-docker/fake-docker.ts';
import { dockerRestartContract } from '../contract/docker-restart.contract.ts';

dockerRestartContract('The fake daemon', async ({ liveRestore }) => ({
  daemon: await startFakeDocker({ processes: true, liveRestore }),
  image: 'tandem',
}));

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainRole, runtimeContract } from '../../services/control-plane/runtimes/runtime.contract.ts';
import { type DockerDaemon, missingDocker, startDockerDaemon } from '../support/docker-daemon/docker-daemon.ts';
import { openDockerRuntimes } from '../support/docker-runtime.ts';

const missing = missingDocker();
const AGENTS = 'agents';

describe.skipIf(missing !== null)(`a real Docker daemon ${missing ?? ''}`, () => {
  let daemon: DockerDaemon;
  let image: string;
  const open = () => openDockerRuntimes({ socketPath: daemon.socketPath, image, agentNetwork: AGENTS });

  beforeAll(async () => {
    daemon = await startDockerDaemon();
    image = daemon.importBaseImage();
    daemon.docker('network', 'create', AGENTS);
  }, 60_000);
  afterAll(() => daemon.close());

  runtimeContract('the Docker runtime', async () => open());

  it('keeps what a program has compiled for the programs of other runs', async () => {
    const { runtime, shell, cleanUp } = open();
    const run = async (id: string, script: string) => {
      const identity = { run: id, attempt: 1, role: 'inference', start: 1 } as const;
      await runtime.start({ ...plainRole, identity, command: shell(script), caches: ['VLLM_CACHE_ROOT'] });
      const exitCode = async () => (await runtime.observe()).find((role) => role.identity.run === id)?.exitCode;
      await expect.poll(exitCode, { timeout: 30_000 }).toBe(0);
      await runtime.remove(identity);
      await runtime.removeShared(identity);
    };
    await run('run-00000001', 'echo compiled > "$VLLM_CACHE_ROOT/kernel"');
    await run('run-00000002', 'grep -q compiled "$VLLM_CACHE_ROOT/kernel"');
    await cleanUp();
  });
});

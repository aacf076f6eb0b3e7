import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDockerRuntime } from '../../services/control-plane/runtimes/docker/docker-runtime.ts';
import { createDockerEngine } from '../../services/control-plane/runtimes/docker/engine/create-docker-engine.ts';
import { createOutputCollector } from '../../services/control-plane/runtimes/docker/engine/output-collector.ts';
import { parseSubnet } from '../../services/control-plane/runtimes/docker/subnets.ts';
import {
  plainRole,
  type RuntimeUnderTest,
  runtimeContract,
} from '../../services/control-plane/runtimes/runtime.contract.ts';
import { createLogger } from '../../services/platform/logger.ts';
import { removeTree } from '../../services/platform/testing/remove-tree.ts';
import { type DockerDaemon, missingDocker, startDockerDaemon } from '../support/docker-daemon/docker-daemon.ts';

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

  const create = async (): Promise<RuntimeUnderTest> => {
    const root = mkdtempSync(join(tmpdir(), 'tandem-docker-runtime-'));
    const log = createLogger({ level: 'error', terminal: null });
    const open = () => {
      const engine = createDockerEngine({ socketPath: daemon.socketPath });
      return createDockerRuntime({
        engine,
        collector: createOutputCollector({ followLogs: engine.followLogs, tell: () => {} }),
        daemon: '',
        installation: root.slice(-6),
        image,
        verify: ['true'],
        pool: parseSubnet('10.213.0.0/16')!,
        agentNetwork: AGENTS,
        gpuDriver: null,
        work: join(root, 'work'),
        kept: join(root, 'output'),
        bootedAt: 0,
        changed: () => {},
        now: Date.now,
        log,
      });
    };
    const opened = [open()];
    return {
      runtime: opened[0]!,
      reopen: () => {
        opened.push(open());
        return opened.at(-1)!;
      },
      shell: (script) => ['/bin/sh', '-c', script],
      cleanUp: async () => {
        for (const runtime of opened) await runtime.close();
        await removeTree(root);
      },
    };
  };

  runtimeContract('the Docker runtime', create);

  it('keeps what a program has compiled for the programs of other runs', async () => {
    const { runtime, shell, cleanUp } = await create();
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

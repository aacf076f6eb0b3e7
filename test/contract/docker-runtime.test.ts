import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDockerRuntime } from '../../services/control-plane/runtimes/docker/docker-runtime.ts';
import { createDockerEngine } from '../../services/control-plane/runtimes/docker/engine/create-docker-engine.ts';
import { createOutputCollector } from '../../services/control-plane/runtimes/docker/engine/output-collector.ts';
import { parseSubnet } from '../../services/control-plane/runtimes/docker/subnets.ts';
import { runtimeContract } from '../../services/control-plane/runtimes/runtime.contract.ts';
import { createLogger } from '../../services/platform/logger.ts';
import { removeTree } from '../../services/platform/testing/remove-tree.ts';
import { startFakeDocker } from '../support/fake-docker/fake-docker.ts';

const AGENTS = 'agents';

runtimeContract('the Docker runtime on the fake daemon', async () => {
  const fake = await startFakeDocker({ processes: true });
  const root = mkdtempSync(join(tmpdir(), 'tandem-docker-runtime-'));
  const log = createLogger({ level: 'error', terminal: null });
  const engine = createDockerEngine({ socketPath: fake.socketPath });
  await engine.createNetwork({ Name: AGENTS, Driver: 'bridge' });
  const open = () =>
    createDockerRuntime({
      engine,
      collector: createOutputCollector({ followLogs: engine.followLogs, tell: () => {} }),
      installation: root.slice(-6),
      image: 'tandem',
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
      await fake.close();
      await removeTree(root);
    },
  };
});

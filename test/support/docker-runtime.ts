import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDockerRuntime } from '../../services/control-plane/runtimes/docker/docker-runtime.ts';
import { createDockerEngine } from '../../services/control-plane/runtimes/docker/engine/create-docker-engine.ts';
import { createOutputCollector } from '../../services/control-plane/runtimes/docker/engine/output-collector.ts';
import type { GpuDriver } from '../../services/control-plane/runtimes/docker/gpu-request.ts';
import { parseSubnet } from '../../services/control-plane/runtimes/docker/subnets.ts';
import type { RuntimeUnderTest } from '../../services/control-plane/runtimes/runtime.contract.ts';
import { createLogger } from '../../services/platform/logger.ts';
import { removeTree } from '../../services/platform/testing/remove-tree.ts';

/** Docker runtimes over one daemon, as control planes that follow each other have them. */
export interface DockerRuntimes extends RuntimeUnderTest {
  /** Where they put copies of files of workspaces. */
  work: string;
  /** Ends the runtimes, as the death of their control plane does; the containers stay. */
  abandon(): Promise<void>;
}

/** The network of the agents must be there. */
export function openDockerRuntimes({
  socketPath,
  image,
  agentNetwork,
  gpuDriver = null,
  daemon = '',
}: {
  socketPath: string;
  image: string;
  agentNetwork: string;
  gpuDriver?: GpuDriver | null;
  /** Its id, for a test in which the connection to it breaks. */
  daemon?: string;
}): DockerRuntimes {
  const root = mkdtempSync(join(tmpdir(), 'tandem-docker-runtime-'));
  const log = createLogger({ level: 'error', terminal: null });
  const opened: ReturnType<typeof createDockerRuntime>[] = [];
  const open = () => {
    const engine = createDockerEngine({ socketPath });
    const runtime = createDockerRuntime({
      engine,
      collector: createOutputCollector({ followLogs: engine.followLogs, tell: () => {} }),
      daemon,
      installation: root.slice(-6),
      image,
      handedOn: {},
      verify: ['true'],
      pool: parseSubnet('10.213.0.0/16')!,
      agentNetwork,
      ensureAgentNetwork: async () => {},
      gpuDriver,
      adapters: null,
      gateway: '127.0.0.1',
      work: join(root, 'work'),
      kept: join(root, 'output'),
      bootedAt: 0,
      changed: () => {},
      now: Date.now,
      log,
    });
    opened.push(runtime);
    return runtime;
  };
  const abandon = async () => {
    for (const runtime of opened.splice(0)) await runtime.close();
  };
  return {
    work: join(root, 'work'),
    runtime: open(),
    reopen: open,
    shell: (script) => ['/bin/sh', '-c', script],
    abandon,
    cleanUp: async () => {
      await abandon();
      await removeTree(root);
    },
  };
}

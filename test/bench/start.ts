import { execFileSync } from 'node:child_process';
import { plainRole } from '../../services/control-plane/runtimes/runtime.contract.ts';
import type { RoleIdentity, RoleSpec } from '../../services/control-plane/runtimes/runtime.ts';
import { type DockerDaemon, missingDocker, startDockerDaemon } from '../support/docker-daemon/docker-daemon.ts';
import { type DockerRuntimes, openDockerRuntimes } from '../support/docker-runtime.ts';
import { type Bench, round, table } from './support/bench.ts';

const PAIRS = 10;
const AGENTS = 'agents';

/** Starts pairs of containers on a real daemon, by turns with the same networks, volumes and containers made by the docker client. */
export const runStartBench: Bench = async (print) => {
  const why = missingDocker();
  if (why !== null) return { bench: 'start', baseline: 'the docker client', ratio: null, why };
  const daemon = await startDockerDaemon();
  let runtimes: DockerRuntimes | undefined;
  try {
    const image = daemon.importBaseImage();
    daemon.docker('network', 'create', AGENTS);
    runtimes = openDockerRuntimes({ socketPath: daemon.socketPath, image, agentNetwork: AGENTS });
    const startPair = pairStarter(runtimes);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let pair = 0; pair <= PAIRS; pair++) {
      const a = await timed(() => startPair(pair));
      const b = await timed(async () => startByClient(daemon, image, pair));
      // The first of each fills the caches of the daemon.
      if (pair > 0) {
        ours.push(a);
        theirs.push(b);
      }
    }
    const [mine, client] = [median(ours), median(theirs)];
    print(
      table([
        ['a network, three volumes and two containers by', 'median ms'],
        ['the Docker runtime', mine],
        ['the docker client', client],
      ]),
    );
    return {
      bench: 'start',
      baseline: 'the docker client',
      ratio: round(mine / client),
      ms: round(mine),
      pairs: PAIRS,
    };
  } finally {
    await runtimes?.cleanUp();
    await daemon.close();
  }
};

function pairStarter({ runtime }: DockerRuntimes): (pair: number) => Promise<void> {
  const spec = (identity: RoleIdentity): RoleSpec => ({
    ...plainRole,
    identity,
    command: ['sleep', '600'],
    files: { token: 'secret' },
  });
  return async (pair) => {
    const attempt = { run: `run-${String(pair).padStart(8, '0')}`, attempt: 1, start: 1 };
    await runtime.start(spec({ ...attempt, role: 'inference' }));
    await runtime.start(spec({ ...attempt, role: 'trainer' }));
  };
}

/** What a careful person would type. */
function startByClient({ host }: DockerDaemon, image: string, pair: number): void {
  const docker = (...words: string[]) =>
    execFileSync('docker', words, { env: { ...process.env, DOCKER_HOST: host }, stdio: 'ignore' });
  const name = `by-hand-${pair}`;
  docker('network', 'create', '--internal', '--subnet', `10.214.${pair}.0/28`, name);
  for (const volume of ['inference', 'trainer', 'shared']) docker('volume', 'create', `${name}-${volume}`);
  const hardened = [
    '--init',
    '--read-only',
    '--cap-drop',
    'ALL',
    '--security-opt',
    'no-new-privileges',
    '--user',
    '2000:0',
  ];
  for (const role of ['inference', 'trainer']) {
    const mounts = ['-v', `${name}-${role}:/tandem/own`, '-v', `${name}-shared:/tandem/shared`, '--tmpfs', '/tmp'];
    docker('create', '--name', `${name}-${role}`, '--network', name, ...hardened, ...mounts, image, 'sleep', '600');
    if (role === 'trainer') docker('network', 'connect', AGENTS, `${name}-${role}`);
    docker('start', `${name}-${role}`);
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

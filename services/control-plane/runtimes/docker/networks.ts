import { serialByKey } from '../../../platform/serial-by-key.ts';
import type { RoleIdentity } from '../runtime.ts';
import type { DockerEngine } from './engine/docker-engine.ts';
import { DockerError } from './engine/docker-error.ts';
import type { CallOptions } from './engine/engine-types.ts';
import type { Names } from './naming.ts';
import { freeSubnet, parseSubnet, type Subnet, showSubnet } from './subnets.ts';

/** Routes of the host itself may lie in the pool, which the daemon alone knows: so many of its refusals are answered with the next subnet. */
const MOST_TRIES = 64;

export interface Networks {
  /** Makes the internal network of a pair, unless it is there. */
  ensurePair(attempt: Pick<RoleIdentity, 'run' | 'attempt'>, options?: CallOptions): Promise<void>;
}

/** Networks of the pairs: small subnets out of one pool, because Docker's own pools are used up by about 31 networks. */
export function createNetworks({
  engine,
  names,
  pool,
}: {
  engine: DockerEngine;
  names: Names;
  pool: Subnet;
}): Networks {
  const serial = serialByKey();

  const ensurePair = async (attempt: Pick<RoleIdentity, 'run' | 'attempt'>, options: CallOptions): Promise<void> => {
    const name = names.attempt(attempt);
    if ((await engine.inspectNetwork(name, options)) !== null) return;
    const refused: Subnet[] = [];
    while (refused.length < MOST_TRIES) {
      const subnet = freeSubnet(pool, [...(await takenSubnets(engine, options)), ...refused]);
      if (subnet === null) break;
      try {
        await engine.createNetwork(
          {
            Name: name,
            Driver: 'bridge',
            Internal: true,
            Labels: names.labels.attempt(attempt),
            IPAM: { Config: [{ Subnet: showSubnet(subnet) }] },
          },
          options,
        );
        return;
      } catch (error) {
        if (!(error instanceof DockerError)) throw error;
        if (error.kind === 'name_taken') return;
        if (error.kind !== 'overlap') throw error;
        refused.push(subnet);
      }
    }
    throw new Error(
      `TANDEM_NETWORK_POOL: ${showSubnet(pool)} has no free subnet for the network of ${attempt.run}; remove networks that nobody needs (docker network prune), or give a larger pool`,
    );
  };

  // One at a time: two that look at once would choose the same subnet.
  return { ensurePair: (attempt, options = {}) => serial('subnets', () => ensurePair(attempt, options)) };
}

async function takenSubnets(engine: DockerEngine, options: CallOptions): Promise<Subnet[]> {
  const networks = await engine.listNetworks({}, options);
  return networks
    .flatMap(({ subnets }) => subnets)
    .map(({ subnet }) => parseSubnet(subnet))
    .filter((subnet) => subnet !== null);
}

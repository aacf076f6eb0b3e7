import type { ForeignContainer } from '../../gpus/foreign-containers.ts';
import type { DockerEngine } from './engine/docker-engine.ts';
import { label } from './naming.ts';

/** The containers of others that run and have asked for GPUs. Costs one inspection for each container that runs. */
export async function listForeign(
  engine: DockerEngine,
  installation: string,
  signal: AbortSignal,
): Promise<ForeignContainer[]> {
  const listed = await engine.listContainers({}, { signal });
  const theirs = listed.filter(
    ({ labels, state }) => state === 'running' && labels[label.installation] !== installation,
  );
  const details = await Promise.all(theirs.map(({ id }) => engine.inspectContainer(id, { signal })));
  return details
    .filter((detail) => detail !== null)
    .filter(({ deviceRequests }) => deviceRequests.length > 0)
    .map(({ id, state, deviceRequests }) => ({ id, pid: Math.max(1, state.pid), requests: deviceRequests }));
}

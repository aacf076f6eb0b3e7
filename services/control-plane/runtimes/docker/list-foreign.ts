import type { ForeignContainer } from '../../gpus/foreign-containers.ts';
import type { DockerEngine } from './engine/docker-engine.ts';
import type { ContainerDetail } from './engine/engine-types.ts';
import { label } from './naming.ts';

/** The containers of others that run and were given GPUs. Costs one inspection for each container that runs. */
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
  const found = details.filter((detail) => detail !== null);
  const leavesOut = found.some(({ runtime, visibleDevices }) => runtime === '' && visibleDevices !== null);
  const usual = leavesOut ? (await engine.info({ signal })).defaultRuntime : '';
  return found
    .map((detail) => ({ id: detail.id, pid: Math.max(1, detail.state.pid), requests: requestsOf(detail, usual) }))
    .filter(({ requests }) => requests.length > 0);
}

/**
 * The requests of a container, which win over its variable; else what the NVIDIA runtime gives it by that variable. CUDA images bring `all`, which means
 * nothing to other runtimes.
 */
function requestsOf(
  { deviceRequests, visibleDevices, runtime }: ContainerDetail,
  usual: string,
): ForeignContainer['requests'] {
  if (deviceRequests.length > 0) return deviceRequests;
  if (visibleDevices === null || !/^nvidia\b/.test(runtime || usual)) return [];
  const ids = visibleDevices.split(',').map((id) => id.trim());
  const names = ids.filter((id) => !['', 'void', 'none'].includes(id));
  return names.length === 0 ? [] : [{ ids: names, count: 0 }];
}

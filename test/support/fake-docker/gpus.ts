import {
  type DaemonState,
  type DeviceRequest,
  type FakeContainer,
  type GpuHolding,
  nowNano,
  Refusal,
} from './state.ts';

/** How a host hands out its GPUs: by the NVIDIA runtime's hook, by CDI, both, or not at all. */
export type GpuAccess = 'hook' | 'cdi' | 'both' | 'none';

/** The UUIDs that a container's requests name; called at its start, when a real daemon looks at them too. */
export function requestedGpus(state: DaemonState, access: GpuAccess, container: FakeContainer): string[] {
  return (container.body.HostConfig?.DeviceRequests ?? []).flatMap((request) => {
    if (request.Driver === 'cdi') return fromCdi(state, access, request);
    const isKnown = request.Driver === 'nvidia' || request.Driver === '' || request.Driver === undefined;
    if (!isKnown || access === 'none' || access === 'cdi') throw noDriver(request);
    return fromHook(state, request);
  });
}

function fromHook(state: DaemonState, { Count = 0, DeviceIDs }: DeviceRequest): string[] {
  const ids = DeviceIDs ?? [];
  if (Count !== 0 && ids.length > 0) throw new Refusal(500, 'cannot set both Count and DeviceIDs on device request');
  // The daemon keeps no ledger: a count is always of the first ones.
  if (ids.length === 0) return state.gpus.slice(0, Count < 0 ? undefined : Count);
  return ids.map((id) => {
    const uuid = /^\d+$/.test(id) ? state.gpus[Number(id)] : state.gpus.find((gpu) => gpu === id);
    if (uuid === undefined) {
      throw new Refusal(
        500,
        'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: ' +
          "error running hook #0: error running hook: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\n" +
          `nvidia-container-cli: device error: ${id}: unknown device: unknown`,
      );
    }
    return uuid;
  });
}

function fromCdi(state: DaemonState, access: GpuAccess, request: DeviceRequest): string[] {
  if (access === 'none' || access === 'hook') throw noDriver(request);
  if ((request.Count ?? 0) !== 0 || Object.keys(request.Options ?? {}).length > 0) {
    throw new Refusal(500, 'unexpected count/options in CDI device request');
  }
  return (request.DeviceIDs ?? []).map((id) => {
    const uuid = state.gpus.find((gpu) => id === `nvidia.com/gpu=${gpu}`);
    if (uuid === undefined) throw new Refusal(500, `CDI device injection failed: unresolvable CDI devices ${id}`);
    return uuid;
  });
}

function noDriver({ Driver, Capabilities }: DeviceRequest): Refusal {
  const wanted = `[${(Capabilities ?? []).map((set) => `[${set.join(' ')}]`).join(' ')}]`;
  return new Refusal(500, `could not select device driver "${Driver ?? ''}" with capabilities: ${wanted}`);
}

export function holdGpus(state: DaemonState, container: FakeContainer, uuids: readonly string[]): void {
  const from = nowNano();
  const labels = container.body.Labels ?? {};
  for (const uuid of uuids) state.gpuHistory.push({ uuid, container: container.name, labels, from, to: null });
}

export function releaseGpus(state: DaemonState, container: FakeContainer): void {
  for (const holding of state.gpuHistory) {
    if (holding.container === container.name && holding.to === null) holding.to = nowNano();
  }
}

/** Every two containers that had one GPU at the same time, though they may not share: by default none may. */
export function gpuConflicts(
  history: readonly GpuHolding[],
  mayShare: (one: GpuHolding, other: GpuHolding) => boolean = () => false,
): [GpuHolding, GpuHolding][] {
  const overlap = (one: GpuHolding, other: GpuHolding) =>
    (other.to === null || one.from < other.to) && (one.to === null || other.from < one.to);
  return history.flatMap((one, i) =>
    history
      .slice(i + 1)
      .filter((other) => other.uuid === one.uuid && overlap(one, other) && !mayShare(one, other))
      .map((other): [GpuHolding, GpuHolding] => [one, other]),
  );
}

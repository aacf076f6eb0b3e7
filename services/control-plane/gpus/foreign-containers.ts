import type { Gpu, GpuProcess } from '../../contracts/gpu.ts';
import type { GpuReading, GpuSource } from './gpu-source.ts';
import { pciAddress } from './pci-address.ts';

/** A container that was given GPUs and is not one of ours. */
export interface ForeignContainer {
  id: string;
  /** Its first process on the host. */
  pid: number;
  requests: readonly { ids: readonly string[]; count: number }[];
}

/**
 * Counts what containers of others were given as used, also while they have no process on it: Docker keeps no account of GPUs, and theirs may begin at any
 * moment. `list` gives those that run; where it fails the GPUs are told as read, and why.
 */
export function withForeignContainers(
  source: GpuSource,
  list: (signal: AbortSignal) => Promise<readonly ForeignContainer[]>,
): GpuSource {
  return {
    kind: source.kind,
    read: async (signal) => {
      const reading = await source.read(signal);
      if (reading.gpus.length === 0) return reading;
      try {
        return addContainers(reading, await list(signal));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return { ...reading, problems: [...reading.problems, `Containers of others could not be listed: ${why}`] };
      }
    },
  };
}

/** Each container once for each of its GPUs on which none of its processes is listed. */
export function addContainers(reading: GpuReading, containers: readonly ForeignContainer[]): GpuReading {
  const inOrder = [...reading.gpus].sort((a, b) => a.index - b.index).map(({ uuid }) => uuid);
  const gpus = reading.gpus.map((gpu) => {
    const idle = containers.filter(
      ({ id, requests }) =>
        requests.some((request) => covers(request, gpu, inOrder)) &&
        !gpu.foreign_processes.some(({ container }) => container === id),
    );
    const added = idle.map(({ id, pid }): GpuProcess => ({ pid, name: '', memory_mib: 0, container: id }));
    return added.length === 0 ? gpu : { ...gpu, foreign_processes: [...gpu.foreign_processes, ...added] };
  });
  return { ...reading, gpus };
}

/** As the daemon reads a request: names first, and a count means the first ones (moby daemon/devices_nvidia_linux.go). */
function covers({ ids, count }: ForeignContainer['requests'][number], gpu: Gpu, inOrder: readonly string[]): boolean {
  const names = ids.map((id) => id.replace(/^nvidia\.com\/gpu=/, ''));
  if (names.length > 0) return names.some((name) => isNamed(name, gpu));
  return count < 0 || inOrder.indexOf(gpu.uuid) < count;
}

/** By all that the NVIDIA runtime takes: `all`, index, the beginning of a UUID, PCI address; a part in MIG mode by its UUID, or by both indices (`0:1`). */
function isNamed(name: string, { uuid, index, pci_bus_id: place, mig }: Gpu): boolean {
  if (name === 'all' || name === `${index}` || (/^\d+:\d+$/.test(name) && name.startsWith(`${index}:`))) return true;
  if (name.startsWith('GPU-') && uuid.startsWith(name)) return true;
  if (name.startsWith('MIG-'))
    return name.startsWith(`MIG-${uuid}/`) || (mig?.devices ?? []).some((part) => part.uuid === name);
  return place !== null && pciAddress(name) !== null && pciAddress(name) === pciAddress(place);
}

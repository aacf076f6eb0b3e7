import type { Gpu, GpuLink, GpuProcess, Xid } from '../../contracts/gpu.ts';
import type { GpuReading } from './gpu-source.ts';
import { judgeHealth } from './judge-health.ts';
import type { IndexedGpu, ListedMigDevice, LostGpu } from './read-lists.ts';
import type { SmiGpu, SmiLog, SmiProcess } from './read-smi-xml.ts';
import type { Topology } from './read-topology.ts';

export interface SmiParts {
  log: SmiLog;
  indices: readonly IndexedGpu[];
  migDevices: readonly ListedMigDevice[];
  topology: Topology;
  xids: ReadonlyMap<string, Xid[]>;
  lost: readonly LostGpu[];
  problems: readonly string[];
  /** By process number. */
  containers: ReadonlyMap<number, string | null>;
}

/** Puts together what the calls of nvidia-smi and the kernel log say of the same GPUs. */
export function assemble({
  log,
  indices,
  migDevices,
  topology,
  xids,
  lost,
  problems,
  containers,
}: SmiParts): GpuReading {
  const byUuid = new Map(indices.map((indexed) => [indexed.uuid, indexed]));
  const gpus = log.gpus
    .map((gpu, position) => {
      const { index = position, computeCapability = null } = byUuid.get(gpu.uuid) ?? {};
      const near = topology.near.get(index);
      return describe(gpu, {
        index,
        compute_capability: computeCapability,
        numa_node: near?.numaNode ?? null,
        cpus: near?.cpus ?? null,
        mig: withUuids(gpu, migDevices),
        xids: xids.get(gpu.pci_bus_id) ?? [],
        foreign_processes: withContainers(gpu.processes, containers),
      });
    })
    .sort((a, b) => a.index - b.index);
  const uuids = new Map(gpus.map(({ index, uuid }) => [index, uuid]));
  const links = topology.links.flatMap(({ between: [a, b], ...kind }): GpuLink[] => {
    const [from, to] = [uuids.get(a), uuids.get(b)];
    return from === undefined || to === undefined ? [] : [{ between: [from, to], ...kind }];
  });
  return {
    driver_version: log.driverVersion,
    cuda_version: log.cudaVersion,
    gpus,
    links,
    problems: [...problems, ...missing(log, lost)],
  };
}

type Found = Pick<Gpu, 'index' | 'compute_capability' | 'numa_node' | 'cpus' | 'mig' | 'xids' | 'foreign_processes'>;

function describe({ processes: _, resetRequired, fault, ...gpu }: SmiGpu, found: Found): Gpu {
  return {
    ...gpu,
    ...found,
    health: judgeHealth({ ...gpu, ...found, resetRequired, fault }),
  };
}

/** Each process once: with MIG it is listed for each part it uses. */
function withContainers(processes: readonly SmiProcess[], containers: SmiParts['containers']): GpuProcess[] {
  const all = processes.map((process) => ({ ...process, container: containers.get(process.pid) ?? null }));
  return [...new Map(all.map((process) => [process.pid, process])).values()];
}

function withUuids({ uuid, mig }: SmiGpu, listed: readonly ListedMigDevice[]): Gpu['mig'] {
  if (mig === null) return null;
  const devices = mig.devices.map((device) => {
    const found = listed.find(({ gpu, index }) => gpu === uuid && index === device.index);
    return found === undefined ? device : { ...device, uuid: found.uuid, profile: found.profile };
  });
  return { ...mig, devices };
}

function missing({ attached, gpus }: SmiLog, lost: readonly LostGpu[]): string[] {
  const unseen = lost.filter(({ pciBusId }) => !gpus.some((gpu) => gpu.pci_bus_id === pciBusId));
  const named = unseen.map(tellLost);
  const count = (attached ?? 0) - gpus.length - unseen.length;
  if (count <= 0) return named;
  return [...named, `nvidia-smi counts ${attached} GPUs and describes ${gpus.length}; see dmesg for the others.`];
}

/** What a GPU out of reach is in words. */
export function tellLost({ pciBusId, why }: LostGpu): string {
  return `The GPU at ${pciBusId} cannot be reached (${why}); reboot the host, and replace the GPU if that does not help.`;
}

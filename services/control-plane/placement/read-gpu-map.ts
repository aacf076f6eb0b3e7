import type { GpuLink, GpuMap, Taken } from './gpu-map.ts';

/** A GPU as the inventory lists it; what placement does not use is left out. */
export interface ListedGpu {
  uuid: string;
  index: number;
  numa_node: number | null;
  memory_total_mib: number | null;
  mig: { enabled: boolean } | null;
  health: { verdict: 'healthy' | 'degraded' | 'unusable' };
  /** Processes on it that no lease of ours accounts for. */
  foreign_processes: readonly unknown[];
}

/** The way between two GPUs, as the inventory lists it. */
export interface ListedLink {
  between: readonly [string, string];
  kind: 'NV' | Exclude<GpuLink, `NV${number}`>;
  nvlinks: number;
}

/**
 * The inventory of a host as placement sees it. A degraded GPU works; one that MIG divides is not there to be taken whole. Where the inventory does not
 * know how two GPUs are linked, those on one NUMA node count as linked by it, others by the sockets.
 */
export function readGpuMap({ gpus, links }: { gpus: readonly ListedGpu[]; links: readonly ListedLink[] }): GpuMap {
  const known = new Map<string, GpuLink>();
  for (const { between, kind, nvlinks } of links) {
    const [a, b] = between;
    const link = kind === 'NV' ? (`NV${nvlinks}` as const) : kind;
    known.set(`${a} ${b}`, link).set(`${b} ${a}`, link);
  }
  return {
    gpus: gpus.map(({ uuid, index, numa_node, memory_total_mib, mig, health }) => ({
      uuid,
      index,
      numa: numa_node,
      memoryMiB: memory_total_mib ?? 0,
      healthy: health.verdict !== 'unusable' && mig?.enabled !== true,
    })),
    link: (a, b) => known.get(`${a.uuid} ${b.uuid}`) ?? (a.numa !== null && a.numa === b.numa ? 'NODE' : 'SYS'),
  };
}

/** GPUs that somebody else uses: they are never taken. */
export function findBusy(gpus: readonly Pick<ListedGpu, 'uuid' | 'foreign_processes'>[]): Map<string, Taken> {
  return new Map(gpus.flatMap((gpu) => (gpu.foreign_processes.length > 0 ? [[gpu.uuid, 'busy']] : [])));
}

/** What placement has to know about a GPU; the rest of the inventory does not change where a run goes. */
export interface PlaceableGpu {
  uuid: string;
  /** As `nvidia-smi` counts on this host; profiles with fixed GPUs name them by it. */
  index: number;
  /** NUMA node, null where the host does not say (virtual machines). */
  numa: number | null;
  memoryMiB: number;
  healthy: boolean;
}

/** How two GPUs reach each other, in the words of `nvidia-smi topo -m`: `NV<lanes>`, PCIe switches, host bridge, NUMA node, sockets. */
export type GpuLink = `NV${number}` | 'PIX' | 'PXB' | 'PHB' | 'NODE' | 'SYS';

/** The GPUs of one host and the links between them. `link` is symmetric and is never asked about a GPU and itself. */
export interface GpuMap {
  gpus: readonly PlaceableGpu[];
  link(a: PlaceableGpu, b: PlaceableGpu): GpuLink;
}

/** Classes of links, the faster the higher; what is within one class is not worth waiting for. */
export const LINK_CLASS = { sockets: 0, node: 1, pcieSwitch: 2, nvlink: 3 } as const;
export type LinkClass = (typeof LINK_CLASS)[keyof typeof LINK_CLASS];

/** Why a GPU cannot be taken now. */
export type Taken = 'leased' | 'busy' | 'quarantined';

/** Which GPUs are not free, by UUID. A GPU that is not healthy needs no entry. */
export type TakenGpus = ReadonlyMap<string, Taken>;

export function linkClass(link: GpuLink): LinkClass {
  if (link.startsWith('NV')) return LINK_CLASS.nvlink;
  if (link === 'PIX' || link === 'PXB') return LINK_CLASS.pcieSwitch;
  return link === 'SYS' ? LINK_CLASS.sockets : LINK_CLASS.node;
}

/** NVLinks between two GPUs, 0 without. */
export function lanesOf(link: GpuLink): number {
  return link.startsWith('NV') ? Number(link.slice(2)) : 0;
}

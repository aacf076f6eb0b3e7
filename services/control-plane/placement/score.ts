import { LINK_CLASS, type LinkClass } from './gpu-map.ts';
import type { GpuSet } from './gpu-sets.ts';
import type { Topology } from './topology.ts';

/** Where the roles would be; in a shared profile both sets are the same. */
export interface Seats {
  trainer: GpuSet;
  inference: GpuSet;
  /** The tensor-parallel groups of the inference server. */
  groups: readonly GpuSet[];
}

/**
 * How good a placement is, the first figure first: later ones only decide between placements that are equal in all before. Speed of the run itself
 * comes before what is left for others, and both before NUMA nodes, which cost a few percent on hosts whose GPUs talk over NVLink.
 */
export interface Score {
  /** The slowest link between two GPUs of the trainer. */
  trainerLink: LinkClass;
  /** The slowest link within a tensor-parallel group. */
  groupLink: LinkClass;
  /** Sizes of the NVLink cliques that stay free, largest first; a large one is worth more than many small ones. */
  nvlinkLeft: readonly number[];
  /** The same of GPUs behind one PCIe switch or better. */
  switchLeft: readonly number[];
  /** NUMA nodes of the trainer's GPUs, of the server's and of both together, added up; fewer are better. */
  nodes: number;
  /** Free GPUs on each NUMA node afterwards, largest first. */
  nodesLeft: readonly number[];
  /** Fewest NVLinks between two GPUs of the trainer. */
  lanes: number;
}

/** `left`: what stays free. */
export function scoreOf(seats: Seats, left: GpuSet, topology: Topology): Score {
  const { trainer, inference, groups } = seats;
  return {
    trainerLink: topology.weakest(trainer),
    groupLink: weakestOf(groups, topology),
    nvlinkLeft: topology.cliques(left, LINK_CLASS.nvlink),
    switchLeft: topology.cliques(left, LINK_CLASS.pcieSwitch),
    nodes: [trainer, inference, trainer | inference].reduce((sum, set) => sum + topology.nodes(set).length, 0),
    nodesLeft: topology.nodes(left),
    lanes: topology.lanes(trainer),
  };
}

/** Above 0 where `a` is better. */
export function compareScores(a: Score, b: Score): number {
  return (
    a.trainerLink - b.trainerLink ||
    a.groupLink - b.groupLink ||
    compareSizes(a.nvlinkLeft, b.nvlinkLeft) ||
    compareSizes(a.switchLeft, b.switchLeft) ||
    b.nodes - a.nodes ||
    compareSizes(a.nodesLeft, b.nodesLeft) ||
    a.lanes - b.lanes
  );
}

export function weakestOf(groups: readonly GpuSet[], topology: Topology): LinkClass {
  return Math.min(LINK_CLASS.nvlink, ...groups.map(topology.weakest)) as LinkClass;
}

function compareSizes(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

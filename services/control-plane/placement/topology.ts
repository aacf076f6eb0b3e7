import { type GpuMap, LINK_CLASS, type LinkClass, lanesOf, linkClass, type PlaceableGpu } from './gpu-map.ts';
import { type GpuSet, MOST_GPUS, membersOf, setOf, sizeOf } from './gpu-sets.ts';

/** What of a host decides between placements, asked over sets of GPUs. */
export interface Topology {
  /** By index; a set's bit i means `gpus[i]`. */
  gpus: readonly PlaceableGpu[];
  /** GPUs that can be exchanged for one another: same node, memory and links to all others. */
  twins: readonly GpuSet[];
  /** The slowest class between two members; NVLink where there are no two. */
  weakest(set: GpuSet): LinkClass;
  /** Fewest NVLinks between two members; 0 where there are no two. */
  lanes(set: GpuSet): number;
  /** Sizes, largest first, of the sets whose members all reach each other at a class or better and that no GPU could join. */
  cliques(set: GpuSet, atLeast: LinkClass): readonly number[];
  /** Members on each NUMA node, largest first. */
  nodes(set: GpuSet): readonly number[];
}

/** Sets whose cliques are remembered; searches come back to the same ones. Then it begins anew. */
const MOST_REMEMBERED = 50_000;

/** @throws RangeError for more GPUs than a set can hold. */
export function readTopology(map: GpuMap): Topology {
  const gpus = [...map.gpus].sort((a, b) => a.index - b.index);
  if (gpus.length > MOST_GPUS) throw new RangeError(`${gpus.length} GPUs; placement knows ${MOST_GPUS} at most`);
  const links = gpus.map((a) => gpus.map((b) => (a === b ? null : map.link(a, b))));
  const classes = links.map((row) => row.map((link) => (link === null ? LINK_CLASS.nvlink : linkClass(link))));
  const lanes = links.map((row) => row.map((link) => (link === null ? 0 : lanesOf(link))));
  const neighbours = Object.values(LINK_CLASS).map((atLeast) =>
    classes.map((row, a) => setOf(row.flatMap((each, b) => (b !== a && each >= atLeast ? [b] : [])))),
  );
  const known = new Map<number, readonly number[]>();

  return {
    gpus,
    twins: findTwins(gpus, links),
    weakest: (set) => leastOfPairs(set, classes, LINK_CLASS.nvlink) as LinkClass,
    lanes: (set) => leastOfPairs(set, lanes, 0),
    cliques: (set, atLeast) => {
      const key = set * neighbours.length + atLeast;
      const sizes = known.get(key) ?? cliqueSizes(set, neighbours[atLeast]!);
      if (known.size >= MOST_REMEMBERED) known.clear();
      known.set(key, sizes);
      return sizes;
    },
    nodes: (set) => {
      const counts = new Map<number | null, number>();
      for (const at of membersOf(set)) counts.set(gpus[at]!.numa, (counts.get(gpus[at]!.numa) ?? 0) + 1);
      return [...counts.values()].sort((a, b) => b - a);
    },
  };
}

function findTwins(gpus: readonly PlaceableGpu[], links: readonly (readonly (string | null)[])[]): GpuSet[] {
  const areTwins = (a: number, b: number) =>
    gpus[a]!.numa === gpus[b]!.numa &&
    gpus[a]!.memoryMiB === gpus[b]!.memoryMiB &&
    gpus.every((_, c) => c === a || c === b || links[a]![c] === links[b]![c]);
  const twins: number[][] = [];
  for (const at of gpus.keys()) {
    const group = twins.find(([first]) => areTwins(first!, at));
    if (group === undefined) twins.push([at]);
    else group.push(at);
  }
  return twins.map(setOf);
}

function leastOfPairs(set: GpuSet, table: readonly (readonly number[])[], none: number): number {
  const members = membersOf(set);
  if (members.length < 2) return none;
  let least = Number.POSITIVE_INFINITY;
  for (const a of members) for (const b of members) if (a < b) least = Math.min(least, table[a]![b]!);
  return least;
}

/** Bron and Kerbosch's search with a pivot: 16 GPUs have 243 such cliques at most. */
function cliqueSizes(set: GpuSet, neighbours: readonly GpuSet[]): number[] {
  const sizes: number[] = [];
  const extend = (size: number, candidates: GpuSet, excluded: GpuSet): void => {
    if ((candidates | excluded) === 0) {
      if (size > 0) sizes.push(size);
      return;
    }
    const pivots = membersOf(candidates | excluded).map((at) => neighbours[at]! & candidates);
    const covered = pivots.reduce((best, each) => (sizeOf(each) > sizeOf(best) ? each : best));
    let [left, done] = [candidates, excluded];
    for (const at of membersOf(candidates & ~covered)) {
      extend(size + 1, left & neighbours[at]!, done & neighbours[at]!);
      left &= ~(1 << at);
      done |= 1 << at;
    }
  };
  extend(0, set, 0);
  return sizes.sort((a, b) => b - a);
}

import type { GpuMap, PlaceableGpu, TakenGpus } from './gpu-map.ts';
import type { GpuShape, RoleGpus } from './shape.ts';

/** What the search must find: indices of the server's GPUs, group after group, and the trainer's. */
export interface BestPlace {
  inference: number[];
  trainer: number[];
}

/**
 * The best placement by looking at every one: lists instead of bits, no twins, no pruning, nothing remembered, and a score of its own, written from the
 * words of the README. Null where nothing fits.
 */
export function bruteForce(map: GpuMap, shape: GpuShape, taken: TakenGpus): BestPlace | null {
  const free = map.gpus.filter(({ uuid, healthy }) => healthy && !taken.has(uuid));
  const usable = free.filter(({ memoryMiB }) => memoryMiB >= shape.memoryMiB);
  let best: { place: BestPlace; rank: number[][] } | null = null;
  for (const trainer of choices(usable, shape.trainer)) {
    const servers =
      shape.mode === 'shared'
        ? [trainer]
        : choices(usable, shape.inference).filter((server) => server.every((gpu) => !trainer.includes(gpu)));
    for (const server of servers) {
      const groups = bestGroups(server, shape.tensorParallel, map);
      const left = free.filter((gpu) => !trainer.includes(gpu) && !server.includes(gpu));
      const order = [...indices(server), ...indices(trainer)].map((index) => -index);
      const rank = [...rankOf(trainer, groups, left, map), order];
      const place = { inference: groups.flatMap(indices), trainer: indices(trainer) };
      if (best === null || compareRanks(rank, best.rank) > 0) best = { place, rank };
    }
  }
  return best?.place ?? null;
}

/** Every list of numbers is compared from its first on; a missing one counts as 0. The larger is the better. */
function rankOf(trainer: PlaceableGpu[], groups: PlaceableGpu[][], left: PlaceableGpu[], map: GpuMap) {
  const cliques = (atLeast: number) => maximalCliques(left, (a, b) => speed(map.link(a, b)) >= atLeast);
  const nodes = (gpus: PlaceableGpu[]) => new Set(gpus.map(({ numa }) => numa)).size;
  const perNode = [...new Set(left.map(({ numa }) => numa))].map(
    (node) => left.filter(({ numa }) => numa === node).length,
  );
  const lanes = pairs(trainer).map(([a, b]) => Number(/^NV(\d+)$/.exec(map.link(a, b))?.[1] ?? 0));
  return [
    [slowest(trainer, map)],
    [Math.min(3, ...groups.map((group) => slowest(group, map)))],
    cliques(3),
    cliques(2),
    [-nodes(trainer) - nodes(groups.flat()) - nodes([...trainer, ...groups.flat()])],
    perNode.sort((a, b) => b - a),
    [lanes.length === 0 ? 0 : Math.min(...lanes)],
  ];
}

function compareRanks(a: number[][], b: number[][]): number {
  for (const [i, list] of a.entries()) {
    for (let j = 0; j < Math.max(list.length, b[i]!.length); j++) {
      const difference = (list[j] ?? 0) - (b[i]![j] ?? 0);
      if (difference !== 0) return difference;
    }
  }
  return 0;
}

function choices(gpus: PlaceableGpu[], wanted: RoleGpus): PlaceableGpu[][] {
  const all = sublists(gpus).filter((each) => each.length === (typeof wanted === 'number' ? wanted : wanted.length));
  return typeof wanted === 'number'
    ? all
    : all.filter((each) => wanted.every((index) => indices(each).includes(index)));
}

function bestGroups(server: PlaceableGpu[], size: number, map: GpuMap): PlaceableGpu[][] {
  const speedOf = (groups: PlaceableGpu[][]) => Math.min(3, ...groups.map((group) => slowest(group, map)));
  return partitions(server, size).reduce((best, each) => (speedOf(each) > speedOf(best) ? each : best));
}

/** In the order of their first groups' indices. */
function partitions(gpus: PlaceableGpu[], size: number): PlaceableGpu[][][] {
  if (gpus.length === 0) return [[]];
  const firsts = sublists(gpus).filter((each) => each.length === size && each.includes(gpus[0]!));
  const inOrder = firsts.sort((a, b) => compareRanks([indices(a)], [indices(b)]));
  return inOrder.flatMap((first) =>
    partitions(
      gpus.filter((gpu) => !first.includes(gpu)),
      size,
    ).map((rest) => [first, ...rest]),
  );
}

function maximalCliques(gpus: PlaceableGpu[], joined: (a: PlaceableGpu, b: PlaceableGpu) => boolean): number[] {
  const cliques = sublists(gpus).filter((each) => each.length > 0 && pairs(each).every(([a, b]) => joined(a, b)));
  const canGrow = (clique: PlaceableGpu[]) =>
    gpus.some((gpu) => !clique.includes(gpu) && clique.every((each) => joined(each, gpu)));
  return cliques
    .filter((each) => !canGrow(each))
    .map(({ length }) => length)
    .sort((a, b) => b - a);
}

function slowest(gpus: PlaceableGpu[], map: GpuMap): number {
  return Math.min(3, ...pairs(gpus).map(([a, b]) => speed(map.link(a, b))));
}

function speed(link: string): number {
  return link.startsWith('NV') ? 3 : ({ PIX: 2, PXB: 2, PHB: 1, NODE: 1 }[link] ?? 0);
}

function sublists<T>(list: readonly T[]): T[][] {
  return list.reduce<T[][]>((all, each) => all.flatMap((some) => [some, [...some, each]]), [[]]);
}

function pairs<T>(list: readonly T[]): [T, T][] {
  return list.flatMap((a, i) => list.slice(i + 1).map((b): [T, T] => [a, b]));
}

const indices = (gpus: readonly PlaceableGpu[]) => gpus.map(({ index }) => index);

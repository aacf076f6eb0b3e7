import { candidatesFor } from './candidates.ts';
import { explainNoFit, explainPlacement } from './explain.ts';
import type { GpuMap, PlaceableGpu, TakenGpus } from './gpu-map.ts';
import { compareSets, type GpuSet, membersOf, setOf, sizeOf } from './gpu-sets.ts';
import { compareScores, type Score, type Seats, scoreOf } from './score.ts';
import { fixedOf, type GpuShape, gpusOf, shapeKey } from './shape.ts';
import { readTopology, type Topology } from './topology.ts';

export type Placed =
  | {
      fits: true;
      /** By index. */
      trainer: readonly PlaceableGpu[];
      /** Group after group. */
      inference: readonly PlaceableGpu[];
      score: Score;
      /** False where there were too many placements to look at all. */
      exact: boolean;
      why: string;
    }
  | { fits: false; why: string };

export interface Placer {
  /** The best place for a shape among what is not taken; equal questions have equal answers. */
  place(shape: GpuShape, taken: TakenGpus): Placed;
}

/** Answers that are remembered; then it begins anew. */
const MOST_REMEMBERED = 10_000;

/**
 * Places runs on the GPUs of one host: healthy and free ones only, the best by `Score`, of equally good ones those with the lowest indices, first the
 * server's. Answers are remembered by what is free and by shape.
 * @throws RangeError for more GPUs than a set can hold
 */
export function createPlacer(map: GpuMap): Placer {
  const topology = readTopology(map);
  const known = new Map<string, Placed>();
  return {
    place: (shape, taken) => {
      const free = usable(topology, shape, taken);
      if (!holds(free, shape, topology)) return { fits: false, why: explainNoFit(shape, topology.gpus, taken) };
      const key = `${free} ${freeForOthers(topology, taken)} ${shapeKey(shape)}`;
      const before = known.get(key);
      if (before !== undefined) return before;
      const placed = search(shape, free, freeForOthers(topology, taken), topology);
      if (known.size >= MOST_REMEMBERED) known.clear();
      known.set(key, placed);
      return placed;
    },
  };
}

function usable({ gpus }: Topology, { memoryMiB }: GpuShape, taken: TakenGpus): GpuSet {
  return setOf(gpus.flatMap((gpu, at) => (isFree(gpu, taken) && gpu.memoryMiB >= memoryMiB ? [at] : [])));
}

function freeForOthers({ gpus }: Topology, taken: TakenGpus): GpuSet {
  return setOf(gpus.flatMap((gpu, at) => (isFree(gpu, taken) ? [at] : [])));
}

function isFree(gpu: PlaceableGpu, taken: TakenGpus): boolean {
  return gpu.healthy && !taken.has(gpu.uuid);
}

function holds(free: GpuSet, shape: GpuShape, { gpus }: Topology): boolean {
  const indices = new Set(membersOf(free).map((at) => gpus[at]!.index));
  return sizeOf(free) >= gpusOf(shape) && fixedOf(shape).every((index) => indices.has(index));
}

/** `free` holds the shape; `all` is what is free for anyone, also with less memory. */
function search(shape: GpuShape, free: GpuSet, all: GpuSet, topology: Topology): Placed {
  const { seats, complete } = candidatesFor(shape, free, topology);
  let best: { seats: Seats; score: Score } | null = null;
  let compared = 0;
  for (const each of seats) {
    compared += 1;
    const score = scoreOf(each, all & ~(each.trainer | each.inference), topology);
    const better = best === null ? 1 : compareScores(score, best.score) || preferLower(best.seats, each);
    if (better > 0) best = { seats: each, score };
  }
  if (best === null) throw new Error(`no candidate for ${shapeKey(shape)} among ${sizeOf(free)} free GPUs`);
  const { trainer, groups } = best.seats;
  const pick = (set: GpuSet) => membersOf(set).map((at) => topology.gpus[at]!);
  const roles = { trainer: pick(trainer), groups: groups.map(pick) };
  return {
    fits: true,
    trainer: roles.trainer,
    inference: roles.groups.flat(),
    score: best.score,
    exact: complete,
    why: explainPlacement(roles, best.score, { compared, complete }),
  };
}

/** Above 0 where `b` has the lower GPUs. */
function preferLower(a: Seats, b: Seats): number {
  return compareSets(a.inference, b.inference) || compareSets(a.trainer, b.trainer);
}

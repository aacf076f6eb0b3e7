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
  /** The GPUs of that place as a set, for those who try many; null where the shape does not fit. `free` holds healthy GPUs only. */
  choose(shape: GpuShape, free: GpuSet): GpuSet | null;
  /** Whether it fits at all, which is quicker to say than where. */
  fits(shape: GpuShape, free: GpuSet): boolean;
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
  const known = new Map<string, Found>();
  const keys = new WeakMap<GpuShape, string>();
  const keyOf = (shape: GpuShape): string => {
    const key = keys.get(shape) ?? shapeKey(shape);
    keys.set(shape, key);
    return key;
  };
  const find = (shape: GpuShape, all: GpuSet): Found | null => {
    const key = `${all} ${keyOf(shape)}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const free = all & largeEnough(shape, topology);
    if (!holds(free, shape, topology)) return null;
    const found = search(shape, free, all, topology);
    if (known.size >= MOST_REMEMBERED) known.clear();
    known.set(key, found);
    return found;
  };
  return {
    place: (shape, taken) => {
      const free = topology.gpus.flatMap((gpu, at) => (gpu.healthy && !taken.has(gpu.uuid) ? [at] : []));
      return find(shape, setOf(free))?.placed ?? { fits: false, why: explainNoFit(shape, topology.gpus, taken) };
    },
    choose: (shape, free) => (sizeOf(free) < gpusOf(shape) ? null : (find(shape, free)?.set ?? null)),
    fits: (shape, free) => sizeOf(free) >= gpusOf(shape) && holds(free & largeEnough(shape, topology), shape, topology),
  };
}

interface Found {
  placed: Placed;
  set: GpuSet;
}

function largeEnough({ memoryMiB }: GpuShape, { gpus }: Topology): GpuSet {
  if (memoryMiB === 0) return -1;
  return setOf(gpus.flatMap((gpu, at) => (gpu.memoryMiB >= memoryMiB ? [at] : [])));
}

function holds(free: GpuSet, shape: GpuShape, { gpus }: Topology): boolean {
  if (sizeOf(free) < gpusOf(shape)) return false;
  const isFree = (index: number) => gpus.some((gpu, at) => gpu.index === index && (free & (1 << at)) !== 0);
  return fixedOf(shape).every(isFree);
}

/** `free` holds the shape; `all` is what is free for anyone, also with less memory. */
function search(shape: GpuShape, free: GpuSet, all: GpuSet, topology: Topology): Found {
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
  const why = explainPlacement(roles, best.score, { compared, complete });
  const [score, inference] = [best.score, roles.groups.flat()];
  return {
    placed: { fits: true, trainer: roles.trainer, inference, score, exact: complete, why },
    set: trainer | best.seats.inference,
  };
}

/** Above 0 where `b` has the lower GPUs. */
function preferLower(a: Seats, b: Seats): number {
  return compareSets(a.inference, b.inference) || compareSets(a.trainer, b.trainer);
}

import { type GpuSet, lowest, setOf, sizeOf, subsetsOf, withinClasses } from './gpu-sets.ts';
import { compareScores, type Score, type Seats, scoreOf } from './score.ts';
import { countOf, type GpuShape, type RoleGpus } from './shape.ts';
import { tensorGroups } from './tensor-groups.ts';
import type { Topology } from './topology.ts';

/** Placements that are compared at most. Hosts of 8 GPUs and hosts with a switch have fewer; 16 GPUs with no two alike can have 900,000. */
const MOST_CANDIDATES = 5_000;
/** Sets for the trainer that are looked at; 16 GPUs have 12,870 of 8. */
const MOST_TRAINERS = 20_000;

export interface Candidates {
  seats: Iterable<Seats>;
  /** Whether the best of all is among them. */
  complete: boolean;
}

/**
 * Where a shape can go within `free`, which holds all it wants: of placements that only exchange twins the one with the lowest GPUs for the server, then
 * for the trainer. Where there are too many, those are left out whose trainer alone would be worse off.
 */
export function candidatesFor(shape: GpuShape, free: GpuSet, topology: Topology): Candidates {
  const groupsOf = (set: GpuSet) => tensorGroups(set, shape.tensorParallel, topology);
  const fixedServer = fixedSet(shape.inference, topology);
  const reserved = shape.mode === 'split' ? (fixedServer ?? 0) : 0;
  const { trainers, complete } = trainerSets(shape, free & ~reserved, topology);
  if (shape.mode === 'shared') {
    const seats = trainers.map((set) => ({ trainer: set, inference: set, groups: groupsOf(set) }));
    return { seats, complete };
  }

  const count = countOf(shape.inference);
  const serversBeside = (trainer: GpuSet): Iterable<GpuSet> =>
    fixedServer === null ? subsetsOf(free & ~trainer, count, topology.twins) : [fixedServer];
  const eachServers = trainers.length === 0 ? 1 : Math.max(1, [...serversBeside(trainers[0]!)].length);
  const most = Math.max(1, Math.floor(MOST_CANDIDATES / eachServers));
  const isFree = typeof shape.trainer === 'number' && fixedServer === null;

  function* seats(): Generator<Seats> {
    const best = trainers.length > most ? bestAlone(trainers, free, topology).slice(0, most) : trainers;
    for (const trainer of best) {
      for (const inference of serversBeside(trainer)) {
        const sets = isFree ? lowestFirst(trainer, inference, free, topology) : { trainer, inference };
        yield { ...sets, groups: groupsOf(sets.inference) };
      }
    }
  }
  return { seats: seats(), complete: complete && trainers.length <= most };
}

/** Sets for the trainer with the fastest slowest link there is: nothing that comes later can make up for a slower one. */
function trainerSets({ trainer }: GpuShape, free: GpuSet, topology: Topology) {
  const fixed = fixedSet(trainer, topology);
  if (fixed !== null) return { trainers: [fixed], complete: true };
  let trainers: GpuSet[] = [];
  let [fastest, seen] = [-1, 0];
  for (const set of subsetsOf(free, countOf(trainer), topology.twins)) {
    if (++seen > MOST_TRAINERS) return { trainers, complete: false };
    const link = topology.weakest(set);
    if (link > fastest) trainers = [];
    fastest = Math.max(fastest, link);
    if (link === fastest) trainers.push(set);
  }
  return { trainers, complete: true };
}

function fixedSet(role: RoleGpus, { gpus }: Topology): GpuSet | null {
  return typeof role === 'number' ? null : setOf(role.map((index) => gpus.findIndex((gpu) => gpu.index === index)));
}

function bestAlone(trainers: readonly GpuSet[], free: GpuSet, topology: Topology): GpuSet[] {
  const scored = trainers.map((trainer): [GpuSet, Score] => {
    return [trainer, scoreOf({ trainer, inference: 0, groups: [] }, free & ~trainer, topology)];
  });
  return scored.sort(([, a], [, b]) => compareScores(b, a)).map(([trainer]) => trainer);
}

/** The same numbers of each group of twins, the lowest for the server. */
function lowestFirst(trainer: GpuSet, inference: GpuSet, free: GpuSet, { twins }: Topology) {
  const taken = { trainer: 0, inference: 0 };
  for (const group of withinClasses(twins, free)) {
    const server = lowest(group, sizeOf(group & inference));
    taken.inference |= server;
    taken.trainer |= lowest(group & ~server, sizeOf(group & trainer));
  }
  return taken;
}

/** A set of GPUs of one host as bits: bit i is the i-th GPU by index. */
export type GpuSet = number;

/** Bits of a positive 32-bit integer. No host has more; MIG instances could. */
export const MOST_GPUS = 31;

export function sizeOf(set: GpuSet): number {
  let [size, rest] = [0, set];
  for (; rest !== 0; rest &= rest - 1) size += 1;
  return size;
}

/** Positions of the members, ascending. */
export function membersOf(set: GpuSet): number[] {
  const members: number[] = [];
  for (let rest = set; rest !== 0; rest &= rest - 1) members.push(31 - Math.clz32(rest & -rest));
  return members;
}

export function setOf(positions: Iterable<number>): GpuSet {
  let set = 0;
  for (const position of positions) set |= 1 << position;
  return set;
}

/** Members of each class that are in a set, ascending by their first member. */
export function withinClasses(classes: readonly GpuSet[], set: GpuSet): GpuSet[] {
  return classes.map((each) => each & set).filter((each) => each !== 0);
}

/** The `count` lowest members. */
export function lowest(set: GpuSet, count: number): GpuSet {
  return setOf(membersOf(set).slice(0, count));
}

/**
 * Every subset of a size, of each group of twins only the one with the lowest members: exchanging twins changes no score. Eight equal GPUs are one
 * group, so there is one subset of 4 instead of 70.
 */
export function* subsetsOf(set: GpuSet, size: number, twins: readonly GpuSet[]): Generator<GpuSet> {
  const groups = withinClasses(twins, set).map(membersOf);
  const after = groups.map((_, i) => groups.slice(i + 1).reduce((sum, group) => sum + group.length, 0));

  function* choose(at: number, left: number, chosen: GpuSet): Generator<GpuSet> {
    const group = groups[at];
    if (group === undefined) {
      if (left === 0) yield chosen;
      return;
    }
    for (let count = Math.min(left, group.length); count >= Math.max(0, left - after[at]!); count--) {
      yield* choose(at + 1, left - count, chosen | setOf(group.slice(0, count)));
    }
  }
  yield* choose(0, size, 0);
}

/** Ascending members compared from the first: the order in which equally good sets are preferred. */
export function compareSets(a: GpuSet, b: GpuSet): number {
  const differing = a ^ b;
  if (differing === 0) return 0;
  return (a & (differing & -differing)) !== 0 ? -1 : 1;
}

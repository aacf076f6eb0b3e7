import { LINK_CLASS } from './gpu-map.ts';
import { type GpuSet, membersOf, setOf } from './gpu-sets.ts';
import type { Topology } from './topology.ts';

/**
 * Divides a set into tensor-parallel groups of a size so that the slowest link within any of them is as fast as it can be; of equally good divisions
 * the one whose groups have the lowest members. The set is a whole number of groups.
 */
export function tensorGroups(set: GpuSet, size: number, topology: Topology): GpuSet[] {
  if (set === 0) return [];
  const classes = Object.values(LINK_CLASS).sort((a, b) => b - a);
  for (const atLeast of classes) {
    const groups = divide(set, size, (group) => topology.weakest(group) >= atLeast, new Set());
    if (groups !== null) return groups;
  }
  throw new RangeError(`${membersOf(set).length} GPUs are no groups of ${size}`);
}

/** The first division all of whose groups are good, or null. `hopeless`: what is known not to divide. */
function divide(set: GpuSet, size: number, isGood: (group: GpuSet) => boolean, hopeless: Set<GpuSet>): GpuSet[] | null {
  if (set === 0) return [];
  if (hopeless.has(set)) return null;
  const [first, ...others] = membersOf(set);
  for (const group of grow(setOf([first!]), others, size - 1, isGood)) {
    const rest = divide(set & ~group, size, isGood, hopeless);
    if (rest !== null) return [group, ...rest];
  }
  hopeless.add(set);
  return null;
}

function* grow(
  group: GpuSet,
  others: readonly number[],
  missing: number,
  isGood: (group: GpuSet) => boolean,
): Generator<GpuSet> {
  if (!isGood(group)) return;
  if (missing === 0) yield group;
  else {
    for (const [i, other] of others.entries()) {
      yield* grow(group | (1 << other), others.slice(i + 1), missing - 1, isGood);
    }
  }
}

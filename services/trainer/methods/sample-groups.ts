import type { DataOrder, DataPosition } from '../data/data-order.ts';

/** The groups of one step. */
export interface SampledGroups<G> {
  /** In the order of their tasks, those that say nothing included. */
  readonly groups: readonly G[];
  /** Position in the data after their tasks. */
  readonly next: DataPosition;
  readonly rounds: number;
}

/**
 * Plays the next tasks; with `maxRounds` above 1 as many further ones as groups say nothing, until there are as many that do as tasks were
 * wanted, the rounds are used up, or the epoch ends: a step never spans two (dynamic sampling; DAPO, arXiv:2503.14476, 3.2).
 *
 * What was played is a function of position and rewards, and the position moves over all of it: a resumed step plays the same again.
 *
 * @param play plays tasks by their indices in the data; `place` counts those of the step before them, for their seeds
 * @param saysSomething whether there is anything to learn from a group
 */
export async function sampleGroups<G>(params: {
  readonly order: Pick<DataOrder, 'take'>;
  readonly from: DataPosition;
  readonly wanted: number;
  readonly maxRounds: number;
  readonly play: (indices: Int32Array, place: number) => Promise<readonly G[]>;
  readonly saysSomething: (group: G) => boolean;
}): Promise<SampledGroups<G>> {
  const { order, wanted, maxRounds, play, saysSomething } = params;
  const groups: G[] = [];
  let missing = wanted;
  let position = params.from;
  let rounds = 0;
  do {
    const { indices, next } = order.take(position, missing);
    const played = await play(indices, groups.length);
    groups.push(...played);
    missing -= played.filter(saysSomething).length;
    position = next;
    rounds += 1;
  } while (missing > 0 && rounds < maxRounds && position.offset > 0);
  return { groups, next: position, rounds };
}

import { expect, test } from 'vitest';
import { createDataOrder } from '../data/data-order.ts';
import { sampleGroups } from './sample-groups.ts';

const order = createDataOrder({ size: 10, seed: 1, shuffle: false });

/** Plays tasks of which those that are named say nothing. */
async function sample(given: { from?: number; maxRounds: number; dead: readonly number[] }) {
  const places: number[] = [];
  const found = await sampleGroups({
    order,
    from: { epoch: 0, offset: given.from ?? 0 },
    wanted: 3,
    maxRounds: given.maxRounds,
    play: async (indices, place) => {
      places.push(place);
      return [...indices];
    },
    saysSomething: (task) => !given.dead.includes(task),
  });
  return { ...found, places };
}

test('groups that say nothing are replaced by as many further tasks, and the position is behind all of them', async () => {
  expect(await sample({ maxRounds: 5, dead: [1, 2, 3] })).toEqual({
    ...{ groups: [0, 1, 2, 3, 4, 5], next: { epoch: 0, offset: 6 }, rounds: 3, places: [0, 3, 5] },
  });
});

test('no more rounds are played than asked for', async () => {
  expect(await sample({ maxRounds: 2, dead: [0, 1, 2, 3, 4, 5] })).toMatchObject({
    groups: [0, 1, 2, 3, 4, 5],
    rounds: 2,
  });
  expect(await sample({ maxRounds: 1, dead: [1] })).toMatchObject({ groups: [0, 1, 2], rounds: 1 });
});

test('the end of an epoch ends the step', async () => {
  expect(await sample({ from: 6, maxRounds: 5, dead: [7, 8] })).toMatchObject({
    ...{ groups: [6, 7, 8, 9], next: { epoch: 1, offset: 0 }, rounds: 2 },
  });
});

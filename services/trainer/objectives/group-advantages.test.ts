import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { groupAdvantages } from './group-advantages.ts';

const golden: { advantages: { rewards: number[][]; advantages: number[][] } } = JSON.parse(
  readFileSync(new URL('../../../test/golden/trainer/torch/objectives.json', import.meta.url), 'utf8'),
);

test('advantages are those of torch, group by group', () => {
  const { rewards, advantages: expected } = golden.advantages;
  const { advantages } = groupAdvantages(rewards);
  for (const [g, group] of advantages.entries()) {
    for (const [i, advantage] of group.entries()) expect(advantage).toBeCloseTo(expected[g]![i]!, 6);
  }
});

test('two of four right: the right ones are as far above the mean as the wrong ones below', () => {
  // mean 0.5, sample deviation sqrt(4 * 0.25 / 3)
  const expected = 0.5 / (Math.sqrt(1 / 3) + 1e-4);
  const [group] = groupAdvantages([[1, 0, 0, 1]]).advantages;
  expect([...group!].map((advantage) => advantage / expected)).toEqual([1, -1, -1, 1].map((n) => expect.closeTo(n, 6)));
});

test('groups whose rewards agree, of any size and value, are filtered with zero advantages', () => {
  // 0.1 + 0.1 + 0.1 over 3 is not 0.1: equality must not hang on the mean.
  const result = groupAdvantages([[0.1, 0.1, 0.1], [1], [], [0, 0.5]]);
  expect(result.kept).toEqual([false, false, false, true]);
  expect([result.groupsKept, result.groupsFiltered]).toEqual([1, 3]);
  expect(result.advantages[0]).toEqual(new Float32Array(3));
});

test('a reward that is no number is refused with its place', () => {
  expect(() =>
    groupAdvantages([
      [0, 1],
      [0, Number.NaN],
    ]),
  ).toThrow('rollout 1 in group 1 is NaN');
});

import { expect, test } from 'vitest';
import { exactReward } from './exact.ts';
import { lastNumber, numericReward } from './numeric.ts';
import { createReward } from './reward.ts';

test('exact compares the text without white space around it', () => {
  expect(exactReward(' 85\n', '85')).toBe(1);
  expect(exactReward('85.', '85')).toBe(0);
});

test.each([
  ['The sum is 85.', '85', 1],
  ['38 + 47 = 85', '#### 85', 1],
  ['1,234', '1234', 1],
  ['-3.50', '-3.5', 1],
  ['8.5e1', '85', 1],
  ['.5', '0.5', 1],
  ['85 or 86', '85', 0],
  ['eighty-five', '85', 0],
  ['12,34', '1234', 0],
])('numeric: %j against %j gives %d', (completion, answer, reward) => {
  expect(numericReward(completion, answer)).toBe(reward);
});

test('the last number of a text counts', () => {
  expect(lastNumber('a 1 b 2,000 c')).toBe(2000);
  expect(lastNumber('none')).toBeNull();
});

test('rewards add up by weight, and the highest sum is success', () => {
  const reward = createReward([
    { name: 'exact', weight: 1 },
    { name: 'numeric', weight: 0.5 },
  ]);
  expect(reward.highest).toBe(1.5);
  expect(reward.score('85', '85')).toBe(1.5);
  expect(reward.score('is 85', '85')).toBe(0.5);
  expect(reward.score('86', '85')).toBe(0);
});

test('a reward that is no finite number is an error of the reward', () => {
  const reward = createReward([{ name: 'exact', weight: Number.POSITIVE_INFINITY }]);
  expect(() => reward.score('86', '85')).toThrow(expect.objectContaining({ reason: 'reward_error' }));
});

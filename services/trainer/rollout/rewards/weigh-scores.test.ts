import { expect, test } from 'vitest';
import { ScoringError } from './scorer.ts';
import { requireScores, weighScores } from './weigh-scores.ts';

const check = (scores: readonly unknown[], more: { leavesOut?: boolean; weight?: number } = {}) =>
  requireScores(scores, { count: 2, weight: 1, leavesOut: true, remedy: 'Return numbers.', ...more });

test('what a reward leaves out is left out of the sum, and of what success takes', () => {
  expect(weighScores([1, 0.5, -1], [1, 1, 1])).toEqual({ total: 0.5, success: false });
  expect(weighScores([1, 0.5, -1], [1, null, null])).toEqual({ total: 1, success: true });
  expect(weighScores([1, 0.5, -1], [null, 0.5, null])).toEqual({ total: 0.25, success: false });
});

test('null is no score where a reward may leave completions out, and nonsense elsewhere', () => {
  expect(check([null, -0.5])).toEqual([null, -0.5]);
  expect(() => check([null, 1], { leavesOut: false })).toThrow('gave null, which is no finite number');
});

test.each([
  [[1], 'gave 1 scores for 2 completions', null],
  [[1, 'NaN'], 'gave "NaN", which is no finite number', 1],
  [[true, 1], 'gave true, which is no finite number', 0],
  [[1, Number.POSITIVE_INFINITY], 'which is no finite number', 1],
])('%j is refused, with the completion it was for', (scores, message, index) => {
  const failing = () => check(scores);
  expect(failing).toThrow(ScoringError);
  expect(failing).toThrow(message);
  expect(failing).toThrow(expect.objectContaining({ index, remedy: 'Return numbers.' }));
});

test('a score is too large together with its weight', () => {
  expect(check([1e20, null])).toEqual([1e20, null]);
  expect(() => check([null, 1e20], { weight: 1e20 })).toThrow('gave 100000000000000000000 (times its weight');
});

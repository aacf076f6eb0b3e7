import { describe, expect, test } from 'vitest';
import { type DpoLossType, type DpoPair, dpoLoss, sumDpoMetrics } from './dpo-loss.ts';

/** Log ratios x and y to a reference that gives -10 to each completion. */
const pair = (x: number, y: number): DpoPair => ({
  ...{ chosen: x - 10, rejected: y - 10, referenceChosen: -10, referenceRejected: -10 },
  ...{ chosenTokens: 4, rejectedTokens: 2 },
});
const options = (lossType: DpoLossType, totalPairs = 1) => ({ lossType, beta: 0.5, totalPairs });

// Each by hand: [x, y, loss, gradient of chosen, of rejected]
test.each<[DpoLossType, number, number, number, number, number]>([
  ['sigmoid', 0, 0, Math.log(2), -0.25, 0.25],
  ['sigmoid', 2, 0, Math.log(1 + Math.exp(-1)), -0.5 / (1 + Math.E), 0.5 / (1 + Math.E)],
  ['sigmoid', -4000, 0, 2000, -0.5, 0.5],
  ['sigmoid', 4000, 0, 0, 0, 0],
  ['hinge', 1, 0, 0.5, -0.5, 0.5],
  ['hinge', 3, 0, 0, 0, 0],
  // 2/4 - 1/2 - 1/(2 * 0.5) = -1
  ['ipo', 2, 1, 1, -0.5, 1],
  // 8/4 - 0 - 1 = 1: beyond the target, and pulled back
  ['ipo', 8, 0, 1, 0.5, -1],
])('%s of a pair with log ratios %d and %d', (lossType, x, y, loss, chosen, rejected) => {
  const result = dpoLoss([pair(x, y)], options(lossType));
  expect(result.loss).toBeCloseTo(loss, 12);
  expect(result.gradients[0]!.chosen).toBeCloseTo(chosen, 12);
  expect(result.gradients[0]!.rejected).toBeCloseTo(rejected, 12);
});

describe('the DPO loss', () => {
  test.each<DpoLossType>([
    'sigmoid',
    'ipo',
    'hinge',
  ])('%s has the gradient that finite differences give', (lossType) => {
    const at = (chosen: number, rejected: number) =>
      dpoLoss([{ ...pair(0.3, 0.9), chosen, rejected }], options(lossType)).loss;
    const [c, r] = [-9.7, -9.1];
    const [gradient] = dpoLoss([pair(0.3, 0.9)], options(lossType)).gradients;
    expect((at(c + 1e-5, r) - at(c - 1e-5, r)) / 2e-5).toBeCloseTo(gradient!.chosen, 6);
    expect((at(c, r + 1e-5) - at(c, r - 1e-5)) / 2e-5).toBeCloseTo(gradient!.rejected, 6);
  });

  test('reports rewards, margins and how many pairs are in order; a tie is none', () => {
    const { metrics, margins } = dpoLoss([pair(2, 0), pair(1, 1)], options('sigmoid', 2));
    expect(metrics).toEqual({
      ...{ accuracy: 0.5, rewardMargin: 0.5, chosenReward: 0.75, rejectedReward: 0.25 },
      ...{ chosenLogprob: -8.5, rejectedLogprob: -9.5 },
    });
    expect(margins).toEqual([1, 0]);
  });

  test('the parts of a batch add up to the batch', () => {
    const pairs = [pair(2, 0), pair(1, 3), pair(0.5, 0.2)];
    const whole = dpoLoss(pairs, options('sigmoid', 3));
    const parts = [pairs.slice(0, 1), pairs.slice(1)].map((part) => dpoLoss(part, options('sigmoid', 3)));
    expect(parts[0]!.loss + parts[1]!.loss).toBeCloseTo(whole.loss, 12);
    expect(parts.flatMap(({ gradients }) => gradients)).toEqual(whole.gradients);
    const summed = sumDpoMetrics(parts.map(({ metrics }) => metrics));
    for (const [name, value] of Object.entries(whole.metrics)) {
      expect(summed[name as keyof typeof summed]).toBeCloseTo(value, 12);
    }
  });

  test.each<DpoLossType>(['sigmoid', 'ipo', 'hinge'])('%s of logprobs that are no numbers is none', (lossType) => {
    expect(dpoLoss([pair(Number.NaN, 0)], options(lossType)).loss).toBeNaN();
  });

  test('a total below the pairs given is refused', () => {
    expect(() => dpoLoss([pair(0, 0), pair(0, 0)], options('ipo', 1))).toThrow('totalPairs is 1');
  });
});

import { describe, expect, test } from 'vitest';
import { clippedWeight } from './clipped-weight.ts';
import { clipRange, type GrpoLossType } from './grpo-rules.ts';
import { mismatchWeights } from './mismatch-weights.ts';
import { overlongPenalty } from './overlong-penalty.ts';
import { sequenceSurrogate } from './sequence-surrogate.ts';
import type { SurrogateRule } from './surrogate.ts';
import { tokenShares } from './token-shares.ts';

/** A completion whose ratios to the anchor are given. */
function completion(ratios: readonly number[], advantage: number, weights = ratios.map(() => 1)) {
  return {
    logprobs: Float32Array.from(ratios, (ratio) => Math.log(ratio) - 2),
    anchorLogprobs: new Float32Array(ratios.length).fill(-2),
    advantages: new Float32Array(ratios.length).fill(advantage),
    weights: Float64Array.from(weights),
  };
}
const close = (values: ArrayLike<number>, digits = 5) => Array.from(values, (value) => expect.closeTo(value, digits));
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);

describe('GSPO', () => {
  test('takes the geometric mean of the ratios for all tokens, each with its part of the gradient', () => {
    // sqrt(2 * 0.5) is 1 and sqrt(4 * 1) is 2.
    const on = sequenceSurrogate(completion([2, 0.5], 3), { low: 0.1, high: 0.1 });
    expect([...on.losses]).toEqual(close([-3, -3]));
    expect([...on.gradients]).toEqual(close([-3, -3]));
    const bad = sequenceSurrogate(completion([4, 1], -1), { low: 0.1, high: 0.1 });
    expect([...bad.losses]).toEqual(close([2, 2]));
    expect([...bad.gradients]).toEqual(close([2, 2]));
    expect([...bad.ratios]).toEqual(close([2, 2]));
  });

  test('clips the completion as a whole', () => {
    const held = sequenceSurrogate(completion([4, 1], 1), { low: 0.1, high: 0.1 });
    expect([...held.losses]).toEqual(close([-1.1, -1.1]));
    expect([...held.gradients]).toEqual([0, 0]);
    expect([...held.clipped]).toEqual([1, 1]);
    expect(sequenceSurrogate(completion([], 1), { low: 0.1, high: 0.1 }).losses).toHaveLength(0);
  });
});

test('CISPO caps the weight and keeps the gradient of every token', () => {
  const { losses, gradients, clipped } = clippedWeight(completion([1, 8, 0.1], 2), { low: 1, high: 5 });
  expect([...gradients]).toEqual(close([-2, -10, -0.2]));
  expect([...losses]).toEqual(close([2 * 2, -10 * (Math.log(8) - 2), -0.2 * (Math.log(0.1) - 2)]));
  expect([...clipped]).toEqual([0, 1, 0]);
});

test.each<[string, SurrogateRule]>([
  ['GSPO', sequenceSurrogate],
])('%s has the gradient that finite differences give, with weights of its own at each token', (_, rule) => {
  const tokens = completion([1.1, 0.7, 1.3], 0.5, [1, 0.5, 2]);
  const range = { low: 0.5, high: 0.5 };
  const { gradients } = rule(tokens, range);
  for (const [t, gradient] of gradients.entries()) {
    const at = (by: number) => {
      const logprobs = tokens.logprobs.slice();
      logprobs[t]! += by;
      return { x: logprobs[t]!, y: sum(rule({ ...tokens, logprobs }, range).losses) };
    };
    const [above, below] = [at(2 ** -8), at(-(2 ** -8))];
    expect((above.y - below.y) / (above.x - below.x)).toBeCloseTo(gradient, 4);
  }
});

describe('the normaliser', () => {
  // Two completions of the first accumulated batch, one of the second; the last is masked.
  const sizes = [
    { tokens: 2, part: 0 },
    { tokens: 6, part: 0 },
    { tokens: 4, part: 1 },
    { tokens: 0, part: 1 },
  ];
  test.each<[GrpoLossType, number[]]>([
    ['grpo', [1 / 8, 1 / 24, 1 / 16, 0]],
    ['gspo', [1 / 8, 1 / 24, 1 / 16, 0]],
    ['dr_grpo', [1 / 40, 1 / 40, 1 / 40, 0]],
    ['dapo', [1 / 12, 1 / 12, 1 / 12, 0]],
    ['cispo', [1 / 12, 1 / 12, 1 / 12, 0]],
    ['bnpo', [1 / 16, 1 / 16, 1 / 8, 0]],
  ])('of %s', (lossType, shares) => {
    expect([...tokenShares(lossType, sizes, 10)]).toEqual(close(shares, 12));
  });

  test('of bnpo without accumulation is that of dapo', () => {
    const one = sizes.map(({ tokens }) => ({ tokens, part: 0 }));
    expect(tokenShares('bnpo', one, 10)).toEqual(tokenShares('dapo', one, 10));
  });
});

test('a variant has bounds of its own, unless the spec names them', () => {
  expect(clipRange('dapo', null, null)).toEqual({ low: 0.2, high: 0.28 });
  expect(clipRange('gspo', null, null)).toEqual({ low: 3e-4, high: 4e-4 });
  expect(clipRange('cispo', null, null).high).toBe(5);
  expect(clipRange('gspo', 0.1, null)).toEqual({ low: 0.1, high: 4e-4 });
});

describe('weights against mismatch', () => {
  const old = Float32Array.of(-1, -1);
  const server = Float32Array.of(-1 - Math.log(3), -1 + Math.log(2));
  const of = (correction: 'tis' | 'sequence_mask' | 'off', cap: number) => {
    const { weights, truncated } = mismatchWeights(old, server, { correction, cap });
    return [[...weights].map((weight) => Math.round(weight * 1e4) / 1e4), [...truncated]];
  };
  test('tis caps each token', () => {
    expect(of('tis', 2)).toEqual([
      [2, 0.5],
      [1, 0],
    ]);
  });
  test('sequence_mask weighs by the completion, and leaves it out above the cap', () => {
    expect(of('sequence_mask', 2)).toEqual([
      [1.5, 1.5],
      [0, 0],
    ]);
    expect(of('sequence_mask', 1.2)).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });
  test('off, or a server that reports nothing, weighs nothing', () => {
    expect(of('off', 2)[0]).toEqual([1, 1]);
    expect([...mismatchWeights(old, null, { correction: 'tis', cap: 2 }).weights]).toEqual([1, 1]);
  });
});

test.each([
  [80, 0],
  [90, -0.25],
  [100, -0.5],
  [101, -0.5],
])('a completion of %d of 100 tokens loses %d over a buffer of 20', (tokens, expected) => {
  expect(overlongPenalty(tokens, { maxNewTokens: 100, buffer: 20, penalty: 0.5 })).toBeCloseTo(expected, 12);
});

test('without a buffer no length costs anything', () => {
  expect(overlongPenalty(100, { maxNewTokens: 100, buffer: 0, penalty: 1 })).toBe(0);
});

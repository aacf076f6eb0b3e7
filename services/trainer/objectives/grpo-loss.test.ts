import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type GrpoOptions, type GrpoTokens, grpoLoss } from './grpo-loss.ts';
import { meanGrpoMetrics, sumGrpoMetrics } from './grpo-metrics.ts';
import { type GrpoLossType, grpoRules } from './grpo-rules.ts';
import type { MismatchCorrection } from './mismatch-weights.ts';

const { grpo: golden }: { grpo: Golden } = JSON.parse(
  readFileSync(new URL('../../../test/golden/trainer/torch/objectives.json', import.meta.url), 'utf8'),
);
interface Golden {
  tokens: Record<'logprobs' | 'oldLogprobs' | 'rolloutLogprobs' | 'referenceLogprobs' | 'advantages', number[]>;
  options: Record<'epsilonLow' | 'epsilonHigh' | 'klCoef' | 'mismatchCap' | 'totalTokens', number>;
  policyLoss: number;
  klLoss: number;
  grad: number[];
}
const plain: GrpoOptions = {
  lossType: 'dapo',
  clip: { low: 0.2, high: 0.28 },
  klCoef: 0,
  decoupled: true,
  mismatch: { correction: 'off', cap: 2 },
  totalTokens: 1,
};
const goldenOptions: GrpoOptions = {
  ...plain,
  clip: { low: golden.options.epsilonLow, high: golden.options.epsilonHigh },
  klCoef: golden.options.klCoef,
  mismatch: { correction: 'tis', cap: golden.options.mismatchCap },
  totalTokens: golden.options.totalTokens,
};

describe('the GRPO loss', () => {
  test('has the value and the gradient of torch autograd', () => {
    const { loss, gradLogprobs, metrics } = grpoLoss(goldenTokens(), goldenOptions);
    expect(metrics.policyLoss).toBeCloseTo(golden.policyLoss, 6);
    expect(metrics.klLoss).toBeCloseTo(golden.klLoss, 6);
    expect(loss).toBe(metrics.policyLoss + metrics.klLoss);
    for (const [t, grad] of gradLogprobs.entries()) expect(grad).toBeCloseTo(golden.grad[t]!, 6);
  });

  test('has the gradient that finite differences give', () => {
    const tokens = goldenTokens();
    const { gradLogprobs } = grpoLoss(tokens, goldenOptions);
    for (const [t, grad] of gradLogprobs.entries()) {
      const moved = (by: number) => {
        const logprobs = tokens.logprobs.slice();
        logprobs[t]! += by;
        return { at: logprobs[t]!, loss: grpoLoss({ ...tokens, logprobs }, goldenOptions).loss };
      };
      const [above, below] = [moved(1e-3), moved(-1e-3)];
      expect((above.loss - below.loss) / (above.at - below.at)).toBeCloseTo(grad, 5);
    }
  });

  // Each by hand: [advantage, probability ratio, loss, gradient]
  test.each([
    ['a good token on policy', 2, 1, -2, -2],
    ['a good token gone too far up', 2, 1.5, -2 * 1.28, 0],
    ['a good token gone down is pulled back in full', 2, 0.5, -1, -1],
    ['a bad token gone too far down', -2, 0.5, 2 * 0.8, 0],
    ['a bad token gone up is pushed back in full', -2, 1.5, 3, 3],
    ['a token of no advantage', 0, 1.5, 0, 0],
  ])('%s', (_, advantage, ratio, loss, gradient) => {
    const result = grpoLoss(oneToken({ advantage, logprob: Math.log(ratio) - 1, old: -1 }), plain);
    expect(result.loss).toBeCloseTo(loss, 6);
    expect(result.gradLogprobs[0]).toBeCloseTo(gradient, 5);
    expect(result.metrics.clipFractionHigh).toBe(advantage > 0 && ratio > 1.28 ? 1 : 0);
    expect(result.metrics.clipFractionLow).toBe(advantage < 0 && ratio < 0.8 ? 1 : 0);
  });

  test('the KL term is k3, weighted, and pulls towards the reference', () => {
    const tokens = { ...oneToken({ advantage: 0, logprob: -2, old: -2 }), referenceLogprobs: Float32Array.of(-1) };
    const { gradLogprobs, metrics } = grpoLoss(tokens, { ...plain, klCoef: 0.1 });
    expect(metrics.kl).toBeCloseTo(Math.E - 2, 6);
    expect(metrics.klLoss).toBeCloseTo(0.1 * (Math.E - 2), 6);
    expect(gradLogprobs[0]).toBeCloseTo(0.1 * (1 - Math.E), 6);
  });

  test('mismatch weighs a token by the trainer over the server, at most by the cap, and is reported', () => {
    const at = (server: number, correction: MismatchCorrection) =>
      grpoLoss(
        { ...oneToken({ advantage: 1, logprob: -1, old: -1 }), rolloutLogprobs: Float32Array.of(server) },
        { ...plain, mismatch: { correction, cap: 2 } },
      );
    expect(at(-1 + Math.log(2), 'tis').loss).toBeCloseTo(-0.5, 6);
    expect(at(-1 - Math.log(4), 'tis')).toMatchObject({
      loss: -2,
      metrics: { mismatchTruncated: 1, mismatchWeight: 2 },
    });
    expect(at(-1 - Math.log(4), 'off').loss).toBe(-1);
    expect(at(-1 - Math.log(4), 'off').metrics.mismatchAbs).toBeCloseTo(Math.log(4), 6);
    expect(at(-1, 'tis').metrics).toMatchObject({
      mismatchKl: 0,
      mismatchAbs: 0,
      mismatchWeight: 1,
      mismatchTruncated: 0,
    });
  });

  test('the parts of a batch add up to the batch', () => {
    const tokens = goldenTokens();
    const whole = grpoLoss(tokens, goldenOptions);
    const parts = [slice(tokens, 0, 7), slice(tokens, 7, 24)].map((part) => grpoLoss(part, goldenOptions));
    expect(parts[0]!.loss + parts[1]!.loss).toBeCloseTo(whole.loss, 12);
    expect([...parts[0]!.gradLogprobs, ...parts[1]!.gradLogprobs]).toEqual([...whole.gradLogprobs]);
    const metrics = sumGrpoMetrics(parts.map((part) => part.metrics));
    for (const [name, value] of Object.entries(whole.metrics)) {
      expect(metrics[name as keyof typeof metrics]).toBeCloseTo(value, 12);
    }
  });

  test('a batch of no tokens costs nothing', () => {
    const empty = slice(goldenTokens(), 0, 0);
    expect(grpoLoss(empty, plain)).toMatchObject({ loss: 0, gradLogprobs: new Float32Array(0) });
  });

  test('tokens that do not line up, a wrong total and missing logprobs are refused', () => {
    const tokens = goldenTokens();
    expect(() => grpoLoss({ ...tokens, advantages: new Float32Array(3) }, goldenOptions)).toThrow('advantages has 3');
    expect(() => grpoLoss({ ...tokens, shares: new Float64Array(3) }, goldenOptions)).toThrow('shares has 3');
    expect(() => grpoLoss(tokens, { ...goldenOptions, totalTokens: 5 })).toThrow('totalTokens is 5');
    expect(() => grpoLoss({ ...tokens, referenceLogprobs: null }, goldenOptions)).toThrow('needs referenceLogprobs');
    expect(() => grpoLoss({ ...tokens, rolloutLogprobs: null }, { ...goldenOptions, decoupled: false })).toThrow(
      'needs rolloutLogprobs',
    );
  });

  test.each(Object.keys(grpoRules) as GrpoLossType[])('%s of logprobs that are no numbers is none', (lossType) => {
    const tokens = oneToken({ advantage: 1, logprob: Number.NaN, old: -1 });
    for (const correction of ['tis', 'sequence_mask'] as const) {
      const mismatch = { correction, cap: 2 };
      expect(grpoLoss(tokens, { ...plain, lossType, mismatch }).loss).toBeNaN();
      const server = { ...tokens, logprobs: Float32Array.of(-1), rolloutLogprobs: Float32Array.of(Number.NaN) };
      expect(grpoLoss(server, { ...plain, lossType, mismatch }).loss).toBeNaN();
    }
  });

  test('without decoupling the ratio is to what sampled, and nothing else corrects', () => {
    const tokens = { ...oneToken({ advantage: 1, logprob: -1, old: -3 }), rolloutLogprobs: Float32Array.of(-1.1) };
    const { loss, metrics } = grpoLoss(tokens, {
      ...plain,
      decoupled: false,
      mismatch: { correction: 'tis', cap: 2 },
    });
    expect(loss).toBeCloseTo(-Math.exp(0.1), 6);
    expect(metrics.ratioMean).toBeCloseTo(Math.exp(0.1), 6);
    expect(metrics.mismatchWeight).toBe(1);
    expect(metrics.mismatchAbs).toBeCloseTo(1.9, 6);
  });

  test('what an older policy sampled is weighted by the policy before the step, around which the ratio is bounded', () => {
    const at = (logprob: number, old: number, sampled: number) =>
      grpoLoss(
        { ...oneToken({ advantage: 1, logprob, old }), rolloutLogprobs: Float32Array.of(sampled) },
        { ...plain, mismatch: { correction: 'tis', cap: 9 } },
      );
    // Within the bound the gradient is that of importance sampling from what sampled.
    expect(at(-0.9, -1, -1.4).gradLogprobs[0]).toBeCloseTo(-Math.exp(1.4 - 0.9), 6);
    // Far from what sampled and near to the policy before the step nothing is held; far from the latter it is.
    expect(at(-1, -1, -2.5)).toHaveProperty('gradLogprobs.0', expect.closeTo(-Math.exp(1.5), 5));
    expect(at(-0.5, -1, -0.5).gradLogprobs[0]).toBeCloseTo(0, 12);
    expect(at(-0.5, -1, -0.5).loss).toBeCloseTo(-1.28 * Math.exp(-0.5), 6);
  });

  test('the metrics of several updates are their means, with the largest extremes', () => {
    const at = (ratio: number) =>
      grpoLoss(oneToken({ advantage: 1, logprob: Math.log(ratio) - 1, old: -1 }), plain).metrics;
    const { clipFractionHigh, ratioMean, ratioMax } = meanGrpoMetrics([at(1), at(1.5)]);
    expect([clipFractionHigh, ratioMean, ratioMax]).toEqual([0.5, expect.closeTo(1.25, 6), expect.closeTo(1.5, 6)]);
  });
});

function goldenTokens(): GrpoTokens {
  const of = (name: keyof Golden['tokens']) => Float32Array.from(golden.tokens[name]);
  return {
    lengths: new Array(24).fill(1),
    shares: new Float64Array(24).fill(1 / golden.options.totalTokens),
    logprobs: of('logprobs'),
    oldLogprobs: of('oldLogprobs'),
    rolloutLogprobs: of('rolloutLogprobs'),
    referenceLogprobs: of('referenceLogprobs'),
    advantages: of('advantages'),
    entropies: of('logprobs').map((logprob) => -logprob),
  };
}

function oneToken(of: { advantage: number; logprob: number; old: number }): GrpoTokens {
  return {
    lengths: [1],
    shares: Float64Array.of(1),
    logprobs: Float32Array.of(of.logprob),
    oldLogprobs: Float32Array.of(of.old),
    rolloutLogprobs: null,
    referenceLogprobs: null,
    advantages: Float32Array.of(of.advantage),
    entropies: null,
  };
}

function slice(tokens: GrpoTokens, from: number, to: number): GrpoTokens {
  return Object.fromEntries(
    Object.entries(tokens).map(([name, values]) => [name, (values as Float32Array).slice(from, to)]),
  ) as unknown as GrpoTokens;
}

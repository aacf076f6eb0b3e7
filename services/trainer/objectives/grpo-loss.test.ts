import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type GrpoOptions, type GrpoTokens, grpoLoss } from './grpo-loss.ts';
import { sumGrpoMetrics } from './grpo-metrics.ts';

const { grpo: golden }: { grpo: Golden } = JSON.parse(
  readFileSync(new URL('../../../test/golden/trainer/torch/objectives.json', import.meta.url), 'utf8'),
);
interface Golden {
  tokens: Record<'logprobs' | 'oldLogprobs' | 'rolloutLogprobs' | 'referenceLogprobs' | 'advantages', number[]>;
  options: GrpoOptions;
  policyLoss: number;
  klLoss: number;
  grad: number[];
}
const plain: GrpoOptions = { epsilonLow: 0.2, epsilonHigh: 0.28, klCoef: 0, mismatchCap: null, totalTokens: 1 };

describe('the GRPO loss', () => {
  test('has the value and the gradient of torch autograd', () => {
    const { loss, gradLogprobs, metrics } = grpoLoss(goldenTokens(), golden.options);
    expect(metrics.policyLoss).toBeCloseTo(golden.policyLoss, 6);
    expect(metrics.klLoss).toBeCloseTo(golden.klLoss, 6);
    expect(loss).toBe(metrics.policyLoss + metrics.klLoss);
    for (const [t, grad] of gradLogprobs.entries()) expect(grad).toBeCloseTo(golden.grad[t]!, 6);
  });

  test('has the gradient that finite differences give', () => {
    const tokens = goldenTokens();
    const { gradLogprobs } = grpoLoss(tokens, golden.options);
    for (const [t, grad] of gradLogprobs.entries()) {
      const moved = (by: number) => {
        const logprobs = tokens.logprobs.slice();
        logprobs[t]! += by;
        return { at: logprobs[t]!, loss: grpoLoss({ ...tokens, logprobs }, golden.options).loss };
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
    const at = (server: number, mismatchCap: number | null) =>
      grpoLoss(
        { ...oneToken({ advantage: 1, logprob: -1, old: -1 }), rolloutLogprobs: Float32Array.of(server) },
        { ...plain, mismatchCap },
      );
    expect(at(-1 + Math.log(2), 2).loss).toBeCloseTo(-0.5, 6);
    expect(at(-1 - Math.log(4), 2)).toMatchObject({ loss: -2, metrics: { mismatchTruncated: 1, mismatchWeight: 2 } });
    expect(at(-1 - Math.log(4), null).loss).toBe(-1);
    expect(at(-1 - Math.log(4), null).metrics.mismatchAbs).toBeCloseTo(Math.log(4), 6);
    expect(at(-1, 2).metrics).toMatchObject({ mismatchKl: 0, mismatchAbs: 0, mismatchWeight: 1, mismatchTruncated: 0 });
  });

  test('the parts of a batch add up to the batch', () => {
    const tokens = goldenTokens();
    const whole = grpoLoss(tokens, golden.options);
    const parts = [slice(tokens, 0, 7), slice(tokens, 7, 24)].map((part) => grpoLoss(part, golden.options));
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

  test('tokens that do not line up, a wrong total and a missing reference are refused', () => {
    const tokens = goldenTokens();
    expect(() => grpoLoss({ ...tokens, advantages: new Float32Array(3) }, golden.options)).toThrow('advantages has 3');
    expect(() => grpoLoss(tokens, { ...golden.options, totalTokens: 5 })).toThrow('totalTokens is 5');
    expect(() => grpoLoss({ ...tokens, referenceLogprobs: null }, golden.options)).toThrow('needs referenceLogprobs');
  });
});

function goldenTokens(): GrpoTokens {
  const of = (name: keyof Golden['tokens']) => Float32Array.from(golden.tokens[name]);
  return {
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

import { describe, expect, it } from 'vitest';
import { rowStatistics } from '../../model/kernels/token-logprobs.ts';
import { fillNormal } from '../../model/random.ts';
import { type Distribution, distribution, drawToken, type LogitsRow, logprobOf, mostLikely } from './sampling.ts';
import { rankTokens } from './token-logprobs.ts';

const plain = { temperature: 1, topK: 0, topP: 1, minP: 0 };
const values = fillNormal(new Float32Array(64), 2, 5);
const row: LogitsRow = { values, at: 16, vocabulary: 32 };

function probabilities(from: Distribution): number[] {
  return Array.from({ length: from.vocabulary }, (_, token) => Math.exp(logprobOf(from, token)));
}

function kept(from: Distribution): number[] {
  return probabilities(from).flatMap((probability, token) => (probability > 0 ? [token] : []));
}

const logits = (...numbers: number[]): LogitsRow => ({
  values: Float32Array.from(numbers),
  at: 0,
  vocabulary: numbers.length,
});

describe('distribution', () => {
  it("has the trainer's logprobs to the last bit, at any temperature", () => {
    for (const temperature of [1, 0.7, 1.9]) {
      const from = distribution(row, { ...plain, temperature });
      for (const token of [0, 7, 31]) {
        const expected = Math.fround(rowStatistics(values, 16, 32, token, temperature).logprob);
        expect(logprobOf(from, token)).toBe(expected);
      }
    }
  });

  it('is that of temperature 1 for greedy decoding, whatever the filters', () => {
    expect(probabilities(distribution(row, { temperature: 0, topK: 1, topP: 0.1, minP: 0.5 }))).toEqual(
      probabilities(distribution(row, plain)),
    );
  });

  it('keeps the k most likely tokens, the lower ids among equals, and sums to 1', () => {
    const from = distribution(logits(1, 3, 2, 2, 2, 0), { ...plain, topK: 3 });
    expect(kept(from)).toEqual([1, 2, 3]);
    expect(probabilities(from).reduce((sum, probability) => sum + probability)).toBeCloseTo(1, 6);
  });

  it('keeps the fewest tokens that reach top_p', () => {
    const shares = [0.5, 0.3, 0.15, 0.05].map(Math.log);
    expect(kept(distribution(logits(...shares), { ...plain, topP: 0.75 }))).toEqual([0, 1]);
    expect(kept(distribution(logits(...shares), { ...plain, topP: 0.81 }))).toEqual([0, 1, 2]);
    expect(kept(distribution(logits(...shares), { ...plain, topP: 1e-9 }))).toEqual([0]);
  });

  it('keeps the tokens at least min_p times as likely as the best, after temperature', () => {
    const shares = [0.5, 0.3, 0.15, 0.05].map(Math.log);
    expect(kept(distribution(logits(...shares), { ...plain, minP: 0.29 }))).toEqual([0, 1, 2]);
    expect(kept(distribution(logits(...shares), { ...plain, minP: 0.29, temperature: 0.5 }))).toEqual([0, 1]);
  });

  it('gives banned tokens no probability and leaves the row as it was', () => {
    const before = values.slice();
    expect(kept(distribution(row, plain, [3, 5]))).not.toContain(3);
    expect(distribution(row, { ...plain, topK: 4 }).values).not.toBe(values);
    expect(values).toEqual(before);
  });
});

describe('drawToken', () => {
  it('draws each token as often as its probability says', () => {
    const from = distribution(row, { ...plain, temperature: 1.5 });
    const draws = 20_000;
    const counts = new Array<number>(32).fill(0);
    for (let position = 0; position < draws; position++) {
      counts[drawToken(from, { seed: 9n, prompt: 0, choice: 0, position })]!++;
    }
    const chiSquare = probabilities(from).reduce(
      (sum, p, token) => sum + (counts[token]! - p * draws) ** 2 / (p * draws),
      0,
    );
    // The 99.99 % point of chi-square with 31 degrees of freedom.
    expect(chiSquare).toBeLessThan(69);
  });

  it('never draws a token that was filtered', () => {
    const from = distribution(row, { ...plain, topK: 2 });
    const drawn = Array.from({ length: 300 }, (_, position) =>
      drawToken(from, { seed: 1n, prompt: 0, choice: 0, position }),
    );
    expect([...new Set(drawn)].sort((a, b) => a - b)).toEqual(kept(from));
  });

  it('depends on each of seed, prompt, choice and position', () => {
    const from = distribution(row, { ...plain, temperature: 5 });
    const draw = { seed: 1n, prompt: 2, choice: 3, position: 4 };
    const stream = (change: Partial<typeof draw>) =>
      Array.from({ length: 12 }, (_, i) => drawToken(from, { ...draw, position: 4 + i, ...change })).join();
    const streams = [{}, { seed: 2n }, { seed: 1n + 2n ** 40n }, { prompt: 0 }, { choice: 0 }, { position: 0 }].map(
      stream,
    );
    expect(new Set(streams).size).toBe(6);
    expect(stream({})).toBe(streams[0]);
  });
});

describe('ranking', () => {
  it('breaks ties by the lowest id', () => {
    expect(mostLikely(logits(1, 4, 4, 2))).toBe(1);
    expect(rankTokens(distribution(logits(1, 4, 4, 4), plain), 3, 2).map(({ token }) => token)).toEqual([3, 1, 2]);
  });

  it('gives the chosen token first, then the most likely ones in order, each once', () => {
    const from = distribution(row, plain);
    const byLogprob = [...probabilities(from).keys()].sort((a, b) => logprobOf(from, b) - logprobOf(from, a));
    const chosen = byLogprob[10]!;
    const ranked = rankTokens(from, chosen, 5);
    expect(ranked.map(({ token }) => token)).toEqual([chosen, ...byLogprob.slice(0, 5)]);
    expect(ranked.map(({ rank }) => rank)).toEqual([11, 1, 2, 3, 4, 5]);
    expect(rankTokens(from, byLogprob[1]!, 3).map(({ token }) => token)).toEqual([1, 0, 2].map((i) => byLogprob[i]));
    expect(rankTokens(from, chosen, 0)).toHaveLength(1);
  });
});

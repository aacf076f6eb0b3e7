import { expect, test } from 'vitest';
import { sftLoss } from './sft-loss.ts';

test('the loss is the mean negative logprob and every token has the same gradient', () => {
  const { loss, gradLogprobs, metrics } = sftLoss(Float32Array.of(-1, -2, -6), 3);
  expect(loss).toBe(3);
  expect(gradLogprobs).toEqual(new Float32Array(3).fill(-1 / 3));
  expect(metrics.tokens).toBe(3);
});

test('the gradient is what finite differences give', () => {
  const at = (x: number) => sftLoss(Float32Array.of(-1, x, -6), 4).loss;
  expect((at(-2 + 2 ** -8) - at(-2 - 2 ** -8)) / 2 ** -7).toBeCloseTo(
    sftLoss(Float32Array.of(-1, -2, -6), 4).gradLogprobs[1]!,
    6,
  );
});

test('accumulated parts of unequal length add up to the batch', () => {
  const parts = [Float32Array.of(-1), Float32Array.of(-2, -6)].map((logprobs) => sftLoss(logprobs, 3).loss);
  expect(parts[0]! + parts[1]!).toBeCloseTo(3, 12);
});

test('a total below the tokens given is refused', () => {
  expect(() => sftLoss(Float32Array.of(-1, -2), 1)).toThrow('totalTokens is 1');
  expect(() => sftLoss(new Float32Array(0), 0)).toThrow('at least 1');
});

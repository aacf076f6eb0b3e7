import { expect, test } from 'vitest';
import { clipGradNorm } from './clip.ts';

test('gradients above the norm are scaled to it and the norm they had is given', () => {
  const grads = [Float32Array.of(3, 0), Float32Array.of(0, 4)];
  expect(clipGradNorm(grads, 1)).toBe(5);
  expect(Math.hypot(...grads[0]!, ...grads[1]!)).toBeCloseTo(1, 6);
  expect(grads[0]![0]).toBeCloseTo(0.6, 6);
});

test('gradients within the norm keep their bits', () => {
  const grads = [Float32Array.of(0.1, -0.2)];
  expect(clipGradNorm(grads, 1)).toBeCloseTo(Math.hypot(0.1, 0.2), 6);
  expect(grads).toEqual([Float32Array.of(0.1, -0.2)]);
});

test('a norm that is not finite is given as it is and changes nothing', () => {
  const grads = [Float32Array.of(1, Number.NaN), Float32Array.of(5)];
  expect(clipGradNorm(grads, 1)).toBeNaN();
  expect(grads[1]).toEqual(Float32Array.of(5));
  expect(clipGradNorm([Float32Array.of(Number.POSITIVE_INFINITY)], 1)).toBe(Number.POSITIVE_INFINITY);
});

import { expect, test } from 'vitest';
import { inverseFrequencies } from './rope.ts';

test('default frequencies fall geometrically from 1', () => {
  expect([...inverseFrequencies({ kind: 'default', theta: 10_000 }, 8)]).toEqual(
    [1, 0.1, 0.01, 0.001].map(Math.fround),
  );
});

test('frequencies have the bits of torch, which rounds the exponent and the power on the way', () => {
  const torch = [1, 0.09999999403953552, 0.009999998845160007, 0.0010000000474974513, 9.999996836995706e-5];
  expect([...inverseFrequencies({ kind: 'default', theta: 1_000_000 }, 12)].slice(0, 5)).toEqual(torch);
});

test('linear scaling divides every frequency', () => {
  expect([...inverseFrequencies({ kind: 'linear', theta: 10_000, factor: 4 }, 4)]).toEqual(
    [0.25, 0.0025].map(Math.fround),
  );
});

test('llama3 scaling keeps fast frequencies, divides slow ones and passes smoothly between', () => {
  const rope = {
    kind: 'llama3',
    theta: 10_000,
    factor: 8,
    lowFreqFactor: 1,
    highFreqFactor: 4,
    originalMaxPositions: 1000,
  } as const;
  const plain = inverseFrequencies({ kind: 'default', theta: 10_000 }, 16);
  const scaled = inverseFrequencies(rope, 16);
  const ratios = [...scaled].map((frequency, i) => frequency / plain[i]!);
  for (const [i, ratio] of ratios.entries()) {
    const wavelength = (2 * Math.PI) / plain[i]!;
    if (wavelength < 250) expect(ratio).toBe(1);
    else if (wavelength > 1000) expect(ratio).toBeCloseTo(1 / 8, 6);
    else expect(ratio > 1 / 8 && ratio < 1).toBe(true);
  }
  expect(ratios.some((ratio) => ratio > 0.126 && ratio < 0.999)).toBe(true);
});

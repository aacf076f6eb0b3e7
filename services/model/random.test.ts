import { describe, expect, test } from 'vitest';
import { deriveSeed, fillRandom, fillUniform, normal, permutation, random, uniform } from './random.ts';

describe('random', () => {
  test('gives the known answers of Philox4x32-10 (Random123, kat_vectors)', () => {
    expect(random(0n)).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    const ones = 0xffffffff;
    expect(random(0xffffffffffffffffn, ones, ones, ones, ones)).toEqual([
      0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
    ]);
    expect(random(0x299f31d0a4093822n, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344)).toEqual([
      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
    ]);
  });

  test('takes a number and the same bigint for one seed, negative int64 included', () => {
    expect(random(2 ** 40 + 7, 1)).toEqual(random(2n ** 40n + 7n, 1));
    expect(random(-5, 1)).toEqual(random(-5n, 1));
    expect(random(-5n)).toEqual(random(2n ** 64n - 5n));
  });

  test('refuses counters and seeds it would have to truncate', () => {
    expect(() => random(0, -1)).toThrow(RangeError);
    expect(() => random(0, 2 ** 32)).toThrow(RangeError);
    expect(() => random(0.5)).toThrow(RangeError);
    expect(() => random(0, 1, 2, 3, 4, 5)).toThrow(/fold some into the seed/);
  });
});

test('uniform stays in [0, 1) with mean 1/2 and normal has mean 0 and variance 1', () => {
  const draws = Array.from({ length: 20_000 }, (_, i) => uniform(3, i));
  expect(draws.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(mean(draws)).toBeCloseTo(0.5, 2);
  const normals = Array.from({ length: 20_000 }, (_, i) => normal(4, i));
  expect(Math.abs(mean(normals))).toBeLessThan(0.03);
  expect(mean(normals.map((value) => value * value))).toBeCloseTo(1, 1);
});

test('a permutation holds every index once, depends on its counters, and reaches every order', () => {
  const order = permutation(100, 7, 1);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect([...permutation(100, 7, 1)]).toEqual([...order]);
  expect([...permutation(100, 7, 2)]).not.toEqual([...order]);
  expect(new Set(Array.from({ length: 200 }, (_, i) => permutation(3, i).join())).size).toBe(6);
});

test('derived seeds differ by label, by order and by kind of label', () => {
  const seeds = [
    deriveSeed(1),
    deriveSeed(1, 'rollout'),
    deriveSeed(1, 'rollout', 2),
    deriveSeed(1, 2, 'rollout'),
    deriveSeed(1, '2', 'rollout'),
    deriveSeed(2, 'rollout'),
  ];
  expect(new Set(seeds).size).toBe(seeds.length);
  expect(deriveSeed(1n, 'rollout', 2)).toBe(seeds[2]);
});

test('fillRandom gives the blocks that random gives one by one', () => {
  const filled = fillRandom(new Uint32Array(12), -9n, 5, 1, 2, 3);
  expect([...filled]).toEqual([5, 6, 7].flatMap((counter) => random(-9n, counter, 1, 2, 3)));
});

test('fillUniform fills any length within its bounds', () => {
  const filled = fillUniform(new Float32Array(1003), -2, 2, 5, 1);
  expect(filled.every((value) => value >= -2 && value <= 2)).toBe(true);
  expect(new Set(filled).size).toBeGreaterThan(990);
});

function mean(list: readonly number[]): number {
  return list.reduce((sum, value) => sum + value, 0) / list.length;
}

import { expect, it } from 'vitest';
import { compareVersions } from './versions.ts';

it.each([
  ['1.41', '1.41', 0],
  ['1.9', '1.41', -1],
  ['12.10', '12.1', 1],
  ['12', '12.1', -1],
  ['v2.29.7-desktop.1', '1.29', 1],
  ['dev', '1.29', -1],
])('takes %s against %s by its numbers', (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign);
});

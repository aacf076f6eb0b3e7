import { expect, it } from 'vitest';
import { flatten } from './flatten.ts';

it('names values by their place, and keeps lists and nulls', () => {
  expect(flatten({ a: { b: 1, c: [2] }, d: null })).toEqual({ 'a.b': 1, 'a.c': [2], d: null });
});

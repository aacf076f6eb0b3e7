import { expect, test } from 'vitest';
import { recordSchema } from './record.ts';

const base = { n: 1, time: '2026-11-20T09:00:00.000Z' };
const metrics = { ...base, kind: 'metrics', step: 1, epoch: 0, samples: 4 };

test('a metric that is not a number travels as a word', () => {
  expect(
    recordSchema.safeParse({ ...metrics, values: { a: 'NaN', b: 'Infinity', c: '-Infinity', d: 1 } }).success,
  ).toBe(true);
  expect(recordSchema.safeParse({ ...metrics, values: { a: 'nan' } }).success).toBe(false);
  expect(recordSchema.safeParse({ ...metrics, values: { a: null } }).success).toBe(false);
});

test.each([
  ['number 0', { ...metrics, values: {}, n: 0 }],
  ['no number', { ...metrics, values: {}, n: undefined }],
  ['a time without zone', { ...metrics, values: {}, time: '2026-11-20T09:00:00' }],
  ['an unknown kind', { ...base, kind: 'rumour' }],
  ['an unknown key', { ...metrics, values: {}, extra: 1 }],
  [
    'a line of more than 64 KiB',
    { ...base, kind: 'log', component: 'training', level: 'INFO', message: 'x'.repeat(65_537) },
  ],
])('a record with %s is refused', (_what, record) => {
  expect(recordSchema.safeParse(record).success).toBe(false);
});

import { expect, test } from 'vitest';
import { threadCount } from './thread-count.ts';

test('is what was asked for, else one for each core up to 16', () => {
  expect([threadCount('3', 8), threadCount(undefined, 8), threadCount('', 2), threadCount(undefined, 64)]).toEqual([
    ...[3, 8, 2, 16],
  ]);
});

test.each(['0', '-1', 'two', '1.5', '1e3', '257'])('TANDEM_THREADS=%s is refused, with the remedy', (wanted) => {
  expect(() => threadCount(wanted, 2)).toThrow(
    `TANDEM_THREADS=${wanted}: set it to a number of threads from 1 to 256, or leave it out for one for each core`,
  );
});

import { expect, test } from 'vitest';
import { eta, startClock } from './progress.ts';
import { statisticsOf } from './statistics.ts';

test('statistics are those of the whole population', () => {
  expect(statisticsOf([0, 1, 1, 0])).toEqual({ mean: 0.5, median: 0.5, std: 0.5, min: 0, max: 1 });
  expect(statisticsOf([3, 1, 2])).toMatchObject({ mean: 2, median: 2, min: 1, max: 3 });
  expect(statisticsOf([])).toEqual({ mean: 0, median: 0, std: 0, min: 0, max: 0 });
});

test('elapsed time counts what earlier attempts trained, and the estimate goes by all of it', () => {
  let now = 1000;
  const clock = startClock({ now: () => now, before: 900 });
  now += 30_000;
  expect(clock.elapsed()).toBe(930);
  expect(eta(100, 1000, 930)).toBeCloseTo(8370);
  expect(eta(0, 1000, 930)).toBeNull();
});

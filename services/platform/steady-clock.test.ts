import { expect, it } from 'vitest';
import { createSteadyClock } from './steady-clock.ts';

it('begins at the time of day and counts on when that is set', () => {
  let wall = 1_000_000;
  let uptime = 50;
  const now = createSteadyClock({ wall: () => wall, monotonic: () => uptime });
  expect(now()).toBe(1_000_000);
  uptime += 500;
  wall -= 3_600_000;
  expect(now()).toBe(1_000_500);
});

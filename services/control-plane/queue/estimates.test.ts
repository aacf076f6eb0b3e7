import { expect, it } from 'vitest';
import type { Progress } from '../../contracts/run.ts';
import { expectedEnd, remainingMs } from './estimates.ts';

const progress = (change: Partial<Progress>): Progress => ({
  evaluated: null,
  rollouts: null,
  ...{ phase: 'rollout', step: 25, total_steps: 100, epoch: 0, elapsed_seconds: 50, eta_seconds: null },
  ...change,
});
const times = { since: 1_000_000, now: 1_060_000 };

it('takes what a run says of its end before its speed, its speed before what the spec expects', () => {
  expect(remainingMs(progress({ eta_seconds: 7 }), 30)).toBe(7000);
  expect(remainingMs(progress({}), 30)).toBe(150_000);
  expect(remainingMs(progress({ step: 0 }), 30)).toBe(1_800_000);
  expect(remainingMs(null, 30)).toBe(1_800_000);
  expect(remainingMs(null, null)).toBeNull();
});

it('counts what the spec expects from when the run got its GPUs, and what is measured from now', () => {
  expect(expectedEnd(times, null, 30)).toBe(1_000_000 + 1_800_000);
  expect(expectedEnd(times, progress({ eta_seconds: 7 }), 30)).toBe(1_067_000);
  expect(expectedEnd(times, null, null)).toBeNull();
});

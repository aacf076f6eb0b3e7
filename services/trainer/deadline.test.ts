import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withDeadline } from './deadline.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const untilAborted = (limit: AbortSignal) =>
  new Promise<never>((_, reject) => limit.addEventListener('abort', () => reject(limit.reason), { once: true }));

test('work is told to end after its time', async () => {
  const ended = expect(withDeadline(1000, undefined, untilAborted)).rejects.toThrow('no answer within 1 s');
  await vi.advanceTimersByTimeAsync(1000);
  await ended;
  expect(vi.getTimerCount()).toBe(0);
});

test('time that is on nobody’s account puts the deadline off by as much, and what was before does not', async () => {
  const begin = Date.now();
  const lostFrom = begin + 400;
  let lostUntil = Number.POSITIVE_INFINITY;
  // 60 s were lost before, then all from 400 ms on.
  const lost = () => 60_000 + Math.max(0, Math.min(Date.now(), lostUntil) - lostFrom);
  let endedAt = 0;
  const work = withDeadline(1000, undefined, untilAborted, lost).catch(() => {
    endedAt = Date.now() - begin;
  });
  await vi.advanceTimersByTimeAsync(7400);
  expect(endedAt).toBe(0);
  lostUntil = Date.now();
  await vi.advanceTimersByTimeAsync(10_000);
  await work;
  expect(endedAt).toBe(8000);
});

import { describe, expect, it } from 'vitest';
import { backoffMs, pause } from './retry.ts';

describe('backoffMs', () => {
  it('doubles from the base and stops at the maximum', () => {
    const waits = [0, 1, 2, 3, 4, 5, 2000].map((failures) => backoffMs({ failures, baseMs: 5, maxMs: 60 }));
    expect(waits).toEqual([0, 5, 10, 20, 40, 60, 60]);
  });

  it('stays 0 for a base of 0', () => {
    expect(backoffMs({ failures: 9, baseMs: 0, maxMs: 60 })).toBe(0);
  });
});

describe('pause', () => {
  it('ends at once when aborted', async () => {
    const controller = new AbortController();
    const paused = pause(1_000_000, controller.signal);
    controller.abort();
    await expect(paused).resolves.toBeUndefined();
  });
});

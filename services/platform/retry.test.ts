import { describe, expect, it } from 'vitest';
import { backoffMs, pause, retryAfterMs } from './retry.ts';

describe('backoffMs', () => {
  it('doubles from the base and stops at the maximum', () => {
    const waits = [0, 1, 2, 3, 4, 5, 2000].map((failures) => backoffMs({ failures, baseMs: 5, maxMs: 60 }));
    expect(waits).toEqual([0, 5, 10, 20, 40, 60, 60]);
  });

  it('stays 0 for a base of 0', () => {
    expect(backoffMs({ failures: 9, baseMs: 0, maxMs: 60 })).toBe(0);
  });
});

describe('retryAfterMs', () => {
  it('reads seconds and dates, bounds them, and takes nonsense for nothing', () => {
    const now = Date.parse('2026-11-20T09:00:00Z');
    const waits = [
      '7',
      'Fri, 20 Nov 2026 09:00:02 GMT',
      'Fri, 20 Nov 2026 08:00:00 GMT',
      '9'.repeat(400),
      'soon',
      undefined,
    ];
    expect(waits.map((header) => retryAfterMs(header, 60_000, now))).toEqual([7000, 2000, 0, 60_000, null, null]);
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

import { describe, expect, it } from 'vitest';
import { type QueuedRun, type QueueState, schedule } from './schedule.ts';

const waiting = (id: string, change: Partial<QueuedRun> = {}): QueuedRun => ({
  id,
  priority: 50,
  queuedAt: 0,
  restartAt: null,
  ...change,
});
const decide = (state: Partial<QueueState>) => schedule({ now: 1000, slots: 1, busy: [], queued: [], ...state });
const started = (state: Partial<QueueState>) =>
  decide(state).flatMap((decision) => (decision.action === 'start' ? [decision.run] : []));

describe('schedule', () => {
  it('starts the highest priority first, then the oldest', () => {
    const queued = [
      waiting('late', { queuedAt: 9 }),
      waiting('early', { queuedAt: 1 }),
      waiting('urgent', { priority: 90, queuedAt: 20 }),
    ];
    expect(started({ queued, slots: 2 })).toEqual(['urgent', 'early']);
    expect(started({ queued, slots: 9 })).toEqual(['urgent', 'early', 'late']);
  });

  it('starts nothing while every slot is held', () => {
    expect(started({ busy: ['a'], queued: [waiting('b')] })).toEqual([]);
    expect(started({ busy: ['a', 'b', 'c'], slots: 2, queued: [waiting('d')] })).toEqual([]);
  });

  it('says what each run waits for, in numbers', () => {
    expect(decide({ busy: ['a'], queued: [waiting('b'), waiting('c', { queuedAt: 5 })] })).toEqual([
      { run: 'b', action: 'wait', position: 1, cause: 'slot', why: 'needs 1 slot, 0 of 1 free; behind a' },
      { run: 'c', action: 'wait', position: 2, cause: 'slot', why: 'needs 1 slot, 0 of 1 free; behind a, b' },
    ]);
  });

  it('keeps the slot of a run that waits out its backoff', () => {
    const queued = [waiting('failed', { restartAt: 6000 }), waiting('later', { queuedAt: 5 })];
    expect(decide({ queued })).toEqual([
      {
        run: 'failed',
        action: 'wait',
        position: 1,
        cause: 'backoff',
        why: 'restarts in 5 s after a failure; its slot is kept',
      },
      { run: 'later', action: 'wait', position: 2, cause: 'slot', why: 'needs 1 slot, 1 of 1 free; behind failed' },
    ]);
    expect(started({ queued, now: 6000 })).toEqual(['failed']);
  });

  it('lets a run of higher priority take the slot of one that waits out its backoff', () => {
    const queued = [waiting('failed', { restartAt: 6000 }), waiting('urgent', { priority: 51, queuedAt: 5 })];
    expect(started({ queued })).toEqual(['urgent']);
  });

  it('does not start a run whose last programs are still ending', () => {
    expect(decide({ slots: 2, busy: ['a'], queued: [waiting('a')] })).toEqual([
      { run: 'a', action: 'wait', position: 1, cause: 'ending', why: 'its last programs are still ending' },
    ]);
  });

  it('decides for every run exactly once and never starts more than are free, whatever the state', () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const draw = (n: number) => (seed * 7919 + n * 104_729) % 11;
      const queued = Array.from({ length: draw(1) }, (_, i) =>
        waiting(`q${i}`, { priority: draw(i), queuedAt: draw(i + 3), restartAt: draw(i + 5) > 7 ? 5000 : null }),
      );
      const busy = Array.from({ length: draw(2) % 4 }, (_, i) => `b${i}`);
      const before = JSON.stringify(queued);
      const decisions = decide({ queued, busy, slots: 1 + draw(4) });
      expect(decisions.map(({ run }) => run).sort()).toEqual(queued.map(({ id }) => id).sort());
      expect(decisions.filter(({ action }) => action === 'start').length).toBeLessThanOrEqual(
        Math.max(0, 1 + draw(4) - busy.length),
      );
      expect(JSON.stringify(queued)).toBe(before);
    }
  });
});

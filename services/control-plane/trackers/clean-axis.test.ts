import { describe, expect, it } from 'vitest';
import { cleanAxis, isOnAxis, sharedUpTo } from './clean-axis.ts';

const newest = Number.MAX_SAFE_INTEGER;
const part = (attempt: number, upTo = newest) => ({ attempt, upTo });

describe('the clean axis of a tracker', () => {
  it('is the lineage of the newest attempt, oldest first', () => {
    const points = [
      { attempt: 1, resumedFromAttempt: null, record: 0, step: null },
      { attempt: 2, resumedFromAttempt: 1, record: 6, step: 3 },
      { attempt: 3, resumedFromAttempt: 1, record: 8, step: 4 },
    ];
    expect(cleanAxis(points)).toEqual([part(1, 8), part(3)]);
    expect(cleanAxis(points.slice(0, 2))).toEqual([part(1, 6), part(2)]);
    expect(cleanAxis([])).toEqual([]);
  });

  it('holds the records of its attempts up to where the next one began', () => {
    const record = { n: 7, time: '', kind: 'metrics', step: 1, epoch: 0, samples: 0, values: {} } as const;
    const axis = [part(1, 6), part(3)];
    const on = [1, 2, 3].map((attempt) => isOnAxis(axis, { attempt, record }));
    expect(on).toEqual([false, false, true]);
  });

  it.each([
    ['an attempt that goes on', [part(1)], '1:9', [part(1)], '1:9'],
    ['a resume from before what was shown', [part(1)], '1:9', [part(1, 6), part(2)], '1:6'],
    ['a resume from behind what was shown', [part(1)], '1:9', [part(1, 12), part(2)], '1:9'],
    ['a start from the beginning', [part(1)], '1:9', [part(2)], '0:0'],
    ['a resume of the first attempt, around the second', [part(1, 6), part(2)], '2:4', [part(1, 8), part(3)], '1:6'],
    ['a resume of the second attempt', [part(1, 6), part(2)], '2:4', [part(1, 6), part(2, 3), part(3)], '2:3'],
    ['a second attempt that nothing was shown of', [part(1, 6), part(2)], '1:6', [part(1, 6), part(3)], '1:6'],
    ['nothing that was shown', [], '0:0', [part(1)], '0:0'],
  ])('is shared with what was shown as far as it should be: %s', (_, shown, cursor, wanted, expected) => {
    const [attempt, n] = cursor.split(':').map(Number) as [number, number];
    const { attempt: a, n: at } = sharedUpTo(shown, { attempt, n }, wanted);
    expect(`${a}:${at}`).toBe(expected);
  });
});

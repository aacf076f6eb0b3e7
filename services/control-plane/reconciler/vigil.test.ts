import { describe, expect, it } from 'vitest';
import { createVigil } from './vigil.ts';

describe('a vigil', () => {
  it('counts the time for which a mark stays the same', () => {
    const vigil = createVigil();
    const ages = [
      [0, 'a'],
      [1000, 'a'],
      [3000, 'a'],
      [4000, 'b'],
      [5000, 'b'],
    ].map(([now, mark]) => {
      vigil.round(now as number);
      return vigil.since('run', mark as string);
    });
    expect(ages).toEqual([0, 1000, 3000, 0, 1000]);
  });

  it('does not count what nobody watched: a process that was stopped, a clock that jumps either way', () => {
    const vigil = createVigil();
    vigil.round(0);
    vigil.since('run', 'a');
    vigil.round(86_400_000);
    expect(vigil.since('run', 'a')).toBe(5000);
    vigil.round(1000);
    expect(vigil.since('run', 'a')).toBe(5000);
    vigil.round(2000);
    expect(vigil.since('run', 'a')).toBe(6000);
  });

  it('forgets what is no longer looked at', () => {
    const vigil = createVigil();
    for (const now of [0, 1000]) {
      vigil.round(now);
      vigil.since('run', 'a');
    }
    vigil.round(2000);
    vigil.round(3000);
    expect(vigil.since('run', 'a')).toBe(0);
  });
});

import { describe, expect, it } from 'vitest';
import { eachLimited } from './each-limited.ts';

describe('eachLimited', () => {
  it('answers in order, with never more at work than allowed', async () => {
    let busy = 0;
    let most = 0;
    const results = await eachLimited([5, 4, 3, 2, 1], 2, async (turns) => {
      most = Math.max(most, ++busy);
      for (let turn = 0; turn < turns; turn++) await null;
      busy -= 1;
      return turns * 10;
    });
    expect({ results, most }).toEqual({ results: [50, 40, 30, 20, 10], most: 2 });
  });

  it('begins nothing after an error, and waits for what is under way', async () => {
    const begun: number[] = [];
    let ended = false;
    const work = eachLimited([1, 2, 3], 2, async (item) => {
      begun.push(item);
      if (item === 1) throw new Error('first');
      for (let turn = 0; turn < 10; turn++) await null;
      ended = true;
    });
    await expect(work).rejects.toThrow('first');
    expect({ begun, ended }).toEqual({ begun: [1, 2], ended: true });
  });

  it('takes nothing for nothing', async () => {
    expect(await eachLimited([], 4, async () => 1)).toEqual([]);
  });
});

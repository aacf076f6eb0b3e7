import { describe, expect, it } from 'vitest';
import { serialByKey } from './serial-by-key.ts';

describe('serialByKey', () => {
  it('never overlaps work of one key, keeps its order, and lets other keys run beside it', async () => {
    const serial = serialByKey();
    const running = { a: 0, b: 0 };
    let together = 0;
    const order: string[] = [];
    const work = (key: 'a' | 'b', index: number) => async () => {
      running[key] += 1;
      expect(running[key]).toBe(1);
      if (running.a + running.b === 2) together += 1;
      await new Promise((resolve) => setImmediate(resolve));
      running[key] -= 1;
      order.push(`${key}${index}`);
      return index;
    };
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) => serial(index % 2 ? 'a' : 'b', work(index % 2 ? 'a' : 'b', index))),
    );
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(order.filter((each) => each.startsWith('a'))).toEqual(['a1', 'a3', 'a5', 'a7', 'a9']);
    expect(together).toBeGreaterThan(0);
  });

  it('goes on after work that fails', async () => {
    const serial = serialByKey();
    const failed = serial('a', async () => {
      throw new Error('first');
    });
    const second = serial('a', async () => 'second');
    await expect(failed).rejects.toThrow('first');
    expect(await second).toBe('second');
  });
});

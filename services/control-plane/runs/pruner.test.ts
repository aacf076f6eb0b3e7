import { describe, expect, it } from 'vitest';
import { quietLog } from '../checkpoints/checkpoint.fixtures.ts';
import { createPruner } from './pruner.ts';
import type { RunRow } from './run-row.ts';

const RUN = 'run-aaaaaaaa';
const spec = { training: { save_total_limit: 2 }, checkpoint: { keep_best: 1, keep_every: null } };

function open() {
  const closing = new AbortController();
  const begun: string[] = [];
  const waits: number[] = [];
  const logged: unknown[] = [];
  /** What the tries under way wait for. */
  const tries: { done: () => void; fail: () => void }[] = [];
  const { prune } = createPruner({
    runs: { get: (id) => ({ id, spec }) as unknown as RunRow, startsFrom: () => [], dependants: () => [] },
    checkpoints: {
      resolve: () => undefined,
      prune: (run) => {
        begun.push(run);
        return new Promise((resolve, reject) => {
          tries.push({ done: () => resolve({} as never), fail: () => reject(new Error('away')) });
        });
      },
    },
    closing: closing.signal,
    log: { ...quietLog, error: (_message, fields) => void logged.push(fields?.['run']) },
    wait: async (ms) => void waits.push(ms),
  });
  const next = async () => {
    await expect.poll(() => tries.length).toBeGreaterThan(0);
    return tries.shift() as (typeof tries)[number];
  };
  return { prune, next, begun, waits, logged, closing };
}

describe('pruning', () => {
  it('of a run that is asked for while a try has not begun is that try, and a new one while it goes on', async () => {
    const { prune, next, begun } = open();
    const both = Promise.all([prune(RUN), prune(RUN)]);
    const first = await next();
    expect(begun).toHaveLength(1);
    const third = prune(RUN);
    first.done();
    await both;
    (await next()).done();
    await third;
    expect(begun).toHaveLength(2);
  });

  it('that fails is logged, told to nobody, and tried again with a growing pause until it goes well', async () => {
    const { prune, next, begun, waits, logged } = open();
    const asked = prune(RUN);
    (await next()).fail();
    await asked;
    (await next()).fail();
    (await next()).fail();
    (await next()).done();
    expect(waits).toEqual([1000, 2000, 4000]);
    expect(logged).toEqual([RUN, RUN, RUN]);
    const later = prune(RUN);
    (await next()).done();
    await later;
    expect(begun).toHaveLength(5);
  });

  it('goes on in few runs at a time', async () => {
    const { prune, begun, next } = open();
    for (let i = 0; i < 10; i += 1) void prune(`run-0000000${i}`);
    const first = await next();
    expect(begun).toHaveLength(4);
    first.done();
    await expect.poll(() => begun.length).toBe(5);
  });

  it('is tried no more once the process ends', async () => {
    const { prune, next, begun, closing, logged } = open();
    const asked = prune(RUN);
    const first = await next();
    closing.abort();
    first.fail();
    await asked;
    await prune(RUN);
    expect(begun).toHaveLength(1);
    expect(logged).toEqual([]);
  });
});

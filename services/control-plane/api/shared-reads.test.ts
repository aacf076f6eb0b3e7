import { expect, test } from 'vitest';
import { createSharedReads } from './shared-reads.ts';

test('callers of one key at the same time share one read, and the same values', async () => {
  const shared = createSharedReads();
  let reads = 0;
  const read = async () => {
    reads += 1;
    await Promise.resolve();
    return { page: reads };
  };
  const pages = await Promise.all([shared('a', read), shared('a', read), shared('a', read)]);
  expect(reads).toBe(1);
  expect(new Set(pages).size).toBe(1);
});

test('another key and a later call read anew', async () => {
  const shared = createSharedReads();
  let reads = 0;
  const read = async () => ++reads;
  expect(await Promise.all([shared('a', read), shared('b', read)])).toEqual([1, 2]);
  expect(await shared('a', read)).toBe(3);
});

test('a failed read fails for all who shared it, and for nobody after them', async () => {
  const shared = createSharedReads();
  const failing = async () => {
    throw new Error('the disk is gone');
  };
  const results = await Promise.allSettled([shared('a', failing), shared('a', failing)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await shared('a', async () => 'fine')).toBe('fine');
});

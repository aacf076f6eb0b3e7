import { expect, test } from 'vitest';
import { blockBytes, createKvPool, type KvBlock, type KvPool } from './kv-pool.ts';
import { uniform } from './random.ts';

const small = { layers: 1, kvHeads: 1, headDim: 2 };
const large = { layers: 2, kvHeads: 1, headDim: 2 };
const BYTES = blockBytes(small);

test('a block is there once for all its users, and is nobody else’s until the last of them has gone', () => {
  for (const seed of [1, 2]) live(seed, createKvPool(24 * BYTES));
});

/** Hundreds of random turns against a plain count of users, then everybody goes. */
function live(seed: number, pool: KvPool): void {
  const users = new Map<KvBlock, number>();
  const kept = new Set<KvBlock>();
  const wrong: string[] = [];
  const check = (holds: boolean, what: string) => holds || wrong.push(what);
  const bytesOf = (blocks: KvBlock[]) => blocks.reduce((sum, { data }) => sum + data.byteLength, 0);
  const leave = (block: KvBlock) => {
    pool.release(block);
    const left = users.get(block)! - 1;
    if (left > 0) users.set(block, left);
    else users.delete(block);
  };
  for (let turn = 0; turn < 500; turn++) {
    const pick = (blocks: KvBlock[]) => blocks[Math.floor(uniform(seed, turn, 1) * blocks.length)];
    const [used, found] = [pick([...users.keys()]), pick([...kept])];
    const shape = uniform(seed, turn, 2) < 0.3 ? large : small;
    const what = uniform(seed, turn, 0);
    if (what < 0.4 && pool.usedBytes + blockBytes(shape) <= pool.limitBytes) {
      const block = pool.take(shape);
      check(!users.has(block), 'a block was taken while in use');
      check(!kept.has(block), 'a block was taken that could be found');
      check(block.data.byteLength === blockBytes(shape), 'a block of another size was given');
      users.set(block, 1);
    } else if (what < 0.5 && used) {
      pool.share(used);
      users.set(used, users.get(used)! + 1);
    } else if (what < 0.55 && used && !kept.has(used)) {
      kept.add(used);
      pool.keep(used, () => {
        check(!users.has(used), 'a block was evicted while in use');
        kept.delete(used);
      });
    } else if (what < 0.6 && found) {
      pool.share(found);
      users.set(found, (users.get(found) ?? 0) + 1);
    } else if (what < 0.62 && found) {
      pool.drop(found);
      kept.delete(found);
    } else if (used) leave(used);
    for (const [block, count] of users) check(pool.users(block) === count, 'users were counted wrongly');
    check(pool.usedBytes === bytesOf([...users.keys()]), 'bytes in use were counted wrongly');
    check(
      pool.keptBytes === bytesOf([...kept].filter((block) => !users.has(block))),
      'kept bytes were counted wrongly',
    );
    check(pool.heldBytes <= pool.limitBytes, 'the pool grew over its limit');
  }
  for (const block of [...users.keys()]) while (users.has(block)) leave(block);
  for (const block of kept) pool.drop(block);
  expect(wrong).toEqual([]);
  expect([pool.usedBytes, pool.keptBytes]).toEqual([0, 0]);
  const all = Array.from({ length: 24 }, () => pool.take(small));
  expect(new Set(all).size, 'a block was lost').toBe(24);
  expect(() => pool.take(small)).toThrow('in use');
}

test('what was used longest ago goes first, and only when there is no room', () => {
  const pool = createKvPool(3 * BYTES);
  const evicted: number[] = [];
  const blocks = [0, 1, 2].map((i) => {
    const block = pool.take(small);
    pool.keep(block, () => void evicted.push(i));
    return block;
  });
  for (const i of [1, 0, 2]) pool.release(blocks[i]!);
  pool.share(blocks[1]!);
  pool.release(blocks[1]!);
  expect([evicted, pool.keptBytes]).toEqual([[], 3 * BYTES]);
  expect([pool.take(small), pool.take(small)]).toEqual([blocks[0], blocks[2]]);
  expect(evicted).toEqual([0, 2]);
});

test('a block that is released twice is an error', () => {
  const pool = createKvPool(3 * BYTES);
  const block = pool.take(small);
  pool.release(block);
  expect(() => pool.release(block)).toThrow('released twice');
});

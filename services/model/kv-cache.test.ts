import { expect, test } from 'vitest';
import { createKvCache, type KvCache } from './kv-cache.ts';
import { BLOCK_ROWS, blockBytes, createKvPool } from './kv-pool.ts';
import { values } from './testing/support.ts';

const config = { layers: 2, kvHeads: 2, headDim: 4 };
const WIDTH = 8;
const roomy = () => createKvPool(100 * blockBytes(config));

test('rows come back in order however many came at a time', () => {
  const cache = createKvCache(roomy(), config);
  const [keys, written] = [values(100 * WIDTH, 1), values(100 * WIDTH, 2)];
  for (let at = 0; at < 100; at += 7) push(cache, keys, written, at, Math.min(7, 100 - at));
  expect(cache.length).toBe(100);
  for (const layer of [0, 1]) expect(rowsOf(cache, layer)).toEqual([keys, written]);
});

test('forks share their blocks, copy only the one that is full in part, and never see what others add', () => {
  const pool = roomy();
  const [prompt, left, right] = [values(20 * WIDTH, 1), values(30 * WIDTH, 2), values(30 * WIDTH, 3)];
  const parent = createKvCache(pool, config);
  push(parent, prompt, prompt, 0, 20);
  const forks = [parent.fork(), parent.fork()];
  expect(pool.usedBytes).toBe(2 * blockBytes(config));
  push(forks[0]!, left, left, 0, 5);
  expect(pool.usedBytes).toBe(3 * blockBytes(config));
  push(forks[1]!, right, right, 0, 2);
  push(parent, right, left, 0, 3);
  expect(pool.usedBytes, 'the last one left writes where the prompt lies').toBe(4 * blockBytes(config));
  const grandchild = forks[0]!.fork();
  push(forks[0]!, right, right, 5, 1);
  push(grandchild, left, left, 5, 12);
  const expected: [KvCache, Float32Array[], Float32Array[]][] = [
    [forks[0]!, [prompt, head(left, 5), right.slice(5 * WIDTH, 6 * WIDTH)], []],
    [forks[1]!, [prompt, head(right, 2)], []],
    [parent, [prompt, head(right, 3)], [prompt, head(left, 3)]],
    [grandchild, [prompt, head(left, 17)], []],
  ];
  for (const [cache, keys, written] of expected) {
    const parts = [keys, written.length > 0 ? written : keys];
    for (const layer of [0, 1]) expect(rowsOf(cache, layer)).toEqual(parts.map(joined));
  }
  for (const cache of [parent, ...forks, grandchild]) cache.release();
  expect(pool.usedBytes).toBe(0);
});

test('a full block of another sequence is taken in, also where a pass that failed has left one of its own', () => {
  const pool = roomy();
  const [first, second] = [createKvCache(pool, config), createKvCache(pool, config)];
  const keys = values(40 * WIDTH, 1);
  push(first, keys, keys, 0, 40);
  second.append(0, { keys, values: keys, start: 20, count: 20 });
  for (const block of first.blocks.slice(0, 2)) second.adopt(block);
  push(second, keys, keys, 32, 8);
  expect(rowsOf(second, 1)).toEqual(rowsOf(first, 1));
  expect(pool.usedBytes).toBe(4 * blockBytes(config));
  for (const cache of [first, second]) cache.release();
  expect(pool.usedBytes).toBe(0);
});

function push(cache: KvCache, keys: Float32Array, written: Float32Array, start: number, count: number): void {
  for (const layer of [0, 1]) cache.append(layer, { keys, values: written, start, count });
  cache.advance(count);
}

/** Keys and values of a layer, as one array each. */
function rowsOf(cache: KvCache, layer: number): Float32Array[] {
  const { blocks, blockRows, keysAt, valuesAt } = cache.layer(layer);
  expect(blockRows).toBe(BLOCK_ROWS);
  return [keysAt, valuesAt].map((at) =>
    head(joined(blocks.map((block) => block.subarray(at, at + BLOCK_ROWS * WIDTH))), cache.length),
  );
}

function head(rows: Float32Array, count: number): Float32Array {
  return rows.slice(0, count * WIDTH);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

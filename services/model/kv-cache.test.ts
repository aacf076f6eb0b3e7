import { expect, test } from 'vitest';
import { createKvCache, type KvCache } from './kv-cache.ts';
import { values } from './testing/support.ts';

const config = { layers: 2, kvHeads: 2, headDim: 4 };

test('rows come back in order however often the cache grew', () => {
  const cache = createKvCache(config);
  const [keys, written] = [values(100 * 8, 1), values(100 * 8, 2)];
  for (let at = 0; at < 100; at += 7) push(cache, keys, written, at, Math.min(7, 100 - at));
  expect(cache.length).toBe(100);
  for (const layer of [0, 1]) {
    expect(cache.layer(layer).keys.slice(0, 800)).toEqual(keys);
    expect(cache.layer(layer).values.slice(0, 800)).toEqual(written);
  }
  expect(cache.bytes).toBe(2 * 2 * 128 * 8 * 4);
});

test('forks share the prompt, cost nothing until they grow, and never see what others add', () => {
  const [keys, other] = [values(80, 1), values(80, 2)];
  const parent = createKvCache(config);
  push(parent, keys, keys, 0, 5);
  const [first, second] = [parent.fork(), parent.fork()];
  expect(first.bytes + second.bytes).toBe(0);
  push(parent, other, other, 5, 2);
  push(first, keys, keys, 5, 3);
  const grandchild = first.fork();
  push(first, other, other, 8, 1);
  push(grandchild, keys, keys, 8, 2);
  expect(grandchild.layer(1).keys.slice(0, 80)).toEqual(keys);
  expect(first.layer(0).keys.slice(0, 72)).toEqual(Float32Array.of(...keys.slice(0, 64), ...other.slice(64, 72)));
  expect(parent.layer(0).keys.slice(0, 56)).toEqual(Float32Array.of(...keys.slice(0, 40), ...other.slice(40, 56)));
  expect([parent.length, first.length, second.length, grandchild.length]).toEqual([7, 9, 5, 10]);
});

function push(cache: KvCache, keys: Float32Array, written: Float32Array, start: number, count: number): void {
  for (const layer of [0, 1]) cache.append(layer, { keys, values: written, start, count });
  cache.advance(count);
}

import { expect, test } from 'vitest';
import { plainAttention } from '../testing/plain-attention.ts';
import { sameBits, values } from '../testing/support.ts';
import { pagedAttention } from './paged-attention.ts';

const BLOCK_ROWS = 16;

test.each([
  ['each query head has keys of its own', { heads: 3, kvHeads: 3, headDim: 6 }],
  ['heads go in pairs', { heads: 4, kvHeads: 2, headDim: 8 }],
  ['one head of three is left over', { heads: 6, kvHeads: 2, headDim: 7 }],
])('keys in blocks give the bits that keys in one piece give, where %s', (_, shape) => {
  const [width, queryWidth] = [shape.kvHeads * shape.headDim, shape.heads * shape.headDim];
  const lengths = [
    [1, 1],
    [1, 16],
    [3, 17],
    [40, 40],
    [2, 75],
  ] as const;
  const rows = lengths.reduce((sum, [queries]) => sum + queries, 0);
  const q = values(rows * queryWidth, 1);
  const [expected, paged] = [new Float32Array(q.length), new Float32Array(q.length).fill(Number.NaN)];
  let queryStart = 0;
  const sequences = lengths.map(([queryLength, keyLength], i) => {
    const span = { queryStart, queryLength, keyStart: 0, keyLength };
    queryStart += queryLength;
    const [k, v] = [values(keyLength * width, 2 + i), values(keyLength * width, 20 + i)];
    plainAttention(shape, span, q, k, v, expected);
    return { span, cache: inBlocks(k, v, width) };
  });
  const [spans, caches] = [sequences.map(({ span }) => span), sequences.map(({ cache }) => cache)];
  pagedAttention(shape, spans, caches, q, paged);
  expect(sameBits(expected, paged)).toBe(true);
});

/** As the second of two layers, with NaN everywhere else. */
function inBlocks(k: Float32Array, v: Float32Array, width: number) {
  const size = BLOCK_ROWS * width;
  const [keysAt, valuesAt] = [2 * size, 3 * size];
  const blocks = Array.from({ length: Math.ceil(k.length / size) }, (_, block) => {
    const data = new Float32Array(4 * size).fill(Number.NaN);
    data.set(k.subarray(block * size, (block + 1) * size), keysAt);
    data.set(v.subarray(block * size, (block + 1) * size), valuesAt);
    return data;
  });
  return { blocks, blockRows: BLOCK_ROWS, keysAt, valuesAt };
}

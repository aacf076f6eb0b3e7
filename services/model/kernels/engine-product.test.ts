import { expect, test } from 'vitest';
import { plainAttention } from '../testing/plain-attention.ts';
import { values } from '../testing/support.ts';
import { attentionForward, attentionScratch } from './attention-blocks.ts';
import { matricesIn, transposed } from './double-scratch.ts';
import { engineProduct } from './engine-product.ts';
import { MOST_PAGES } from './wasm-code.ts';

interface Memory {
  readonly buffer: SharedArrayBuffer;
}
const { Memory } = (
  globalThis as unknown as {
    WebAssembly: { Memory: new (size: { initial: number; maximum: number; shared: true }) => Memory };
  }
).WebAssembly;
const memory = new Memory({ initial: 8, maximum: MOST_PAGES, shared: true });
const product = engineProduct(memory, 'double');

test('adds the sums of a plain loop, to the last bit, of matrices either way round', () => {
  const [rows, inner, columns] = [12, 37, 8];
  const next = matricesIn(new Float32Array(memory.buffer));
  const [a, b, c] = [next(inner, rows), next(inner, columns), next(rows, columns)];
  for (const [seed, { values: own }] of [a, b, c].entries()) own.set(values(own.length, seed));
  const expected = Array.from(c.values, (start, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = start;
    for (let k = 0; k < inner; k++) sum += a.values[k * rows + row]! * b.values[k * columns + column]!;
    return sum;
  });
  product(transposed(a), b, c, { rows, inner, columns });
  expect(Array.from(c.values)).toEqual(expected);
});

test.each([
  { heads: 4, kvHeads: 2, headDim: 6, queryLength: 37, keyLength: 37 },
  { heads: 2, kvHeads: 2, headDim: 16, queryLength: 5, keyLength: 70 },
])('attention in blocks gives the bits of attention by query, $queryLength queries on $keyLength keys', (sizes) => {
  const { heads, kvHeads, headDim, queryLength, keyLength } = sizes;
  const [q, k, v] = [queryLength * heads, keyLength * kvHeads, keyLength * kvHeads].map((count, seed) =>
    Float32Array.from(values(count * headDim, seed)),
  ) as [Float32Array, Float32Array, Float32Array];
  const span = { queryStart: 0, queryLength, keyStart: 0, keyLength };
  const [plain, blocks] = [0, 1].map(() => ({ out: q.slice(), lse: new Float64Array(queryLength * heads) }));
  plainAttention(sizes, span, q, k, v, plain!.out, plain!.lse);
  const scratch = new Float32Array(memory.buffer, 0, attentionScratch(sizes, [span]));
  blocks!.out.fill(0);
  for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
    attentionForward(sizes, span, kvHead, { q, k, v, ...blocks! }, scratch.fill(Number.NaN), product);
  }
  expect(blocks).toEqual(plain);
});

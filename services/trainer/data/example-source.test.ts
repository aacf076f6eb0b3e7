import { expect, test } from 'vitest';
import { cached, type ExampleSource, firstExamples, inParts } from './example-source.ts';

function letters(): ExampleSource<string> & { readonly asked: number[][] } {
  const asked: number[][] = [];
  return {
    asked,
    size: 5,
    sha256: 'x',
    take: async (indices) => {
      asked.push(Array.from(indices));
      return Array.from(indices, (index) => 'abcde'[index]!);
    },
  };
}

test('what was taken last is kept, up to the capacity', async () => {
  const source = letters();
  const kept = cached(source, { capacity: 3, weigh: () => 1 });
  expect(await kept.take([0, 1, 0])).toEqual(['a', 'b', 'a']);
  expect(await kept.take([2, 1])).toEqual(['c', 'b']);
  expect(await kept.take([3])).toEqual(['d']);
  expect(await kept.take([0, 1])).toEqual(['a', 'b']);
  // 0 was the one not used for longest when 3 came.
  expect(source.asked).toEqual([[0, 1], [2], [3], [0]]);
});

test('more examples at a time than the capacity holds are all there', async () => {
  const kept = cached(letters(), { capacity: 2, weigh: () => 1 });
  expect(await kept.take([4, 3, 2, 1, 0])).toEqual(['e', 'd', 'c', 'b', 'a']);
  expect(await kept.take([4, 0])).toEqual(['e', 'a']);
});

test('parts and limits cover each example once', async () => {
  const parts: (readonly string[])[] = [];
  for await (const part of inParts(firstExamples(letters(), 4), 3)) parts.push(part);
  expect(parts).toEqual([['a', 'b', 'c'], ['d']]);
  expect(firstExamples(letters(), Number.POSITIVE_INFINITY).size).toBe(5);
});

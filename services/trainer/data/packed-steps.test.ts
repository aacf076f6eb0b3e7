import { expect, test } from 'vitest';
import { createDataOrder, type DataPosition } from './data-order.ts';
import { exampleSizes, packedSteps, takePacked } from './packed-steps.ts';

const sizes = [3, 4, 5, 2, 9, 1, 1, 1, 6, 2];
const source = {
  size: sizes.length,
  sha256: '',
  take: async (indices: ArrayLike<number>) => Array.from(indices, (index) => ({ index, tokens: sizes[index]! })),
};
const packing = { maxTokens: 8, tokensOf: ({ tokens }: { tokens: number }) => tokens };

async function stepsOf(epochs: number, shuffle: boolean, ahead: number) {
  const order = createDataOrder({ size: sizes.length, seed: 5, shuffle });
  const steps: number[][] = [];
  let from: DataPosition = { epoch: 0, offset: 0 };
  while (from.epoch < epochs) {
    const { examples, next } = await takePacked({ order, source, from, packing, ahead });
    steps.push(examples.map(({ index }) => index));
    from = next;
  }
  return { steps, order };
}

test('a step is filled with whole examples in the order of the data; one that is too long is a step of its own', async () => {
  const { steps } = await stepsOf(1, false, 4);
  expect(steps).toEqual([[0, 1], [2, 3], [4], [5, 6, 7], [8, 9]]);
});

test('how far is looked ahead makes no difference', async () => {
  const once = (await stepsOf(3, true, 64)).steps;
  expect((await stepsOf(3, true, 1)).steps).toEqual(once);
  expect((await stepsOf(3, true, 3)).steps).toEqual(once);
  expect(once.flat()).toHaveLength(30);
});

test('the steps of epochs are counted as they will be taken', async () => {
  const { steps, order } = await stepsOf(3, true, 8);
  const found = await exampleSizes(source, packing.tokensOf);
  expect([...found]).toEqual(sizes);
  expect(packedSteps(order, found, { epochs: 3, maxTokens: 8 })).toBe(steps.length);
  const first = packedSteps(order, found, { epochs: 1, maxTokens: 8 });
  expect(packedSteps(order, found, { epochs: 0.5, maxTokens: 8 })).toBe(Math.ceil(first / 2));
});

import { expect, test } from 'vitest';
import { completionRows } from './completion-rows.ts';
import { microBatches } from './micro-batches.ts';

const sequence = (prompt: number, completion: number) => ({
  prompt: Array.from({ length: prompt }, (_, i) => i),
  completion: Array.from({ length: completion }, (_, i) => 100 + i),
});

test('sequences keep their order, and every limit is kept to', () => {
  const sequences = [sequence(4, 2), sequence(4, 2), sequence(1, 5), sequence(2, 1), sequence(2, 1), sequence(2, 1)];
  const limits = { maxSequences: 2, maxTokens: 12 };
  const batches = microBatches(sequences, limits);
  expect(batches.map((batch) => batch.sequences.length)).toEqual([2, 2, 2]);
  expect(batches.flatMap((batch) => batch.sequences)).toEqual(sequences);
  expect(
    batches.map(({ firstSequence, firstToken, completionTokens }) => [firstSequence, firstToken, completionTokens]),
  ).toEqual([
    [0, 0, 4],
    [2, 4, 6],
    [4, 10, 2],
  ]);
});

test('a sequence beyond the limits is a batch of its own', () => {
  const limits = { maxSequences: 9, maxTokens: 5 };
  const batches = microBatches([sequence(1, 1), sequence(50, 9), sequence(1, 1)], limits);
  expect(batches.map((batch) => batch.sequences.length)).toEqual([1, 1, 1]);
});

test('sequences that belong together are never divided, whatever the limits', () => {
  const sequences = [sequence(4, 2), sequence(4, 2), sequence(1, 9), sequence(1, 1), sequence(1, 1), sequence(1, 1)];
  const sizes = (limits: { maxSequences: number; maxTokens: number }) =>
    microBatches(sequences, limits, 2).map((batch) => batch.sequences.length);
  expect(sizes({ maxSequences: 9, maxTokens: 3 })).toEqual([2, 2, 2]);
  expect(sizes({ maxSequences: 9, maxTokens: 16 })).toEqual([2, 4]);
  expect(sizes({ maxSequences: 5, maxTokens: 99 })).toEqual([4, 2]);
  expect(sizes({ maxSequences: 1, maxTokens: 99 })).toEqual([2, 2, 2]);
});

test('each completion token has the row that predicts it', () => {
  const { batch, rows, targets } = completionRows([sequence(3, 2), sequence(2, 1)]);
  expect([...batch.tokens]).toEqual([0, 1, 2, 100, 0, 1]);
  expect(batch.lengths).toEqual([4, 2]);
  expect([...rows]).toEqual([2, 3, 5]);
  expect([...targets]).toEqual([100, 101, 100]);
});

import { expect, test, vi } from 'vitest';
import { permutation } from '../../model/random.ts';
import { createDataOrder, type DataPosition, epochsDone, stepsPerEpoch } from './data-order.ts';

function walk(position: DataPosition, steps: number, seed = 7): { indices: number[][]; position: DataPosition } {
  const order = createDataOrder({ size: 10, seed, shuffle: true });
  const indices: number[][] = [];
  let at = position;
  for (let step = 0; step < steps; step++) {
    const taken = order.take(at, 4);
    indices.push([...taken.indices]);
    at = taken.next;
  }
  return { indices, position: at };
}

test('an epoch has every example once, in batches of which the last may be smaller', () => {
  const { indices, position } = walk({ epoch: 0, offset: 0 }, 3);
  expect(indices.map((batch) => batch.length)).toEqual([4, 4, 2]);
  expect(indices.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(position).toEqual({ epoch: 1, offset: 0 });
  expect(stepsPerEpoch(10, 4)).toBe(3);
});

test('going on from a position gives what an uninterrupted walk gives', () => {
  const whole = walk({ epoch: 0, offset: 0 }, 8);
  const first = walk({ epoch: 0, offset: 0 }, 5);
  const second = walk(first.position, 3);
  expect([...first.indices, ...second.indices]).toEqual(whole.indices);
  expect(second.position).toEqual(whole.position);
});

test('epochs and seeds differ in their order', () => {
  const { indices } = walk({ epoch: 0, offset: 0 }, 6);
  expect(indices.slice(0, 3)).not.toEqual(indices.slice(3));
  expect(walk({ epoch: 0, offset: 0 }, 3, 8).indices).not.toEqual(indices.slice(0, 3));
});

test('without shuffling the order is that of the file', () => {
  const order = createDataOrder({ size: 3, seed: 1, shuffle: false });
  expect([...order.take({ epoch: 5, offset: 0 }, 9).indices]).toEqual([0, 1, 2]);
});

test('epochs are counted in fractions', () => {
  expect(epochsDone({ epoch: 2, offset: 5 }, 10)).toBe(2.5);
});

test('going back and forth over the end of an epoch makes each order once', () => {
  const made = vi.fn(permutation);
  const order = createDataOrder({ size: 10, seed: 7, shuffle: true, permute: made });
  const at = (epoch: number) => [...order.take({ epoch, offset: 0 }, 10).indices];
  const [before, after] = [at(1), at(2)];
  expect([at(1), at(2), at(1)]).toEqual([before, after, before]);
  expect(made).toHaveBeenCalledTimes(2);
  at(3);
  expect(at(2)).toEqual(after);
  expect(made).toHaveBeenCalledTimes(3);
});

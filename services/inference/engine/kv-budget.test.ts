import { describe, expect, it } from 'vitest';
import { blockBytes } from '../../model/kv-pool.ts';
import { createKvBudget, kvDemand } from './kv-budget.ts';

const shape = { layers: 2, kvHeads: 2, headDim: 4 };
const blocks = (request: { promptTokens: number; maxTokens: number; n: number }) => {
  const { base, choice } = kvDemand(shape, request);
  return [base / blockBytes(shape), choice / blockBytes(shape)];
};

describe('kvDemand', () => {
  it.each([
    ['a completion that stays in its prompt’s last block', { promptTokens: 10, maxTokens: 7, n: 1 }, [1, 1]],
    ['one that needs another', { promptTokens: 10, maxTokens: 8, n: 1 }, [2, 2]],
    ['a prompt of full blocks alone', { promptTokens: 32, maxTokens: 1, n: 1 }, [2, 0]],
    ['choices that copy the prompt’s last block', { promptTokens: 40, maxTokens: 20, n: 4 }, [3 + 2, 2]],
    ['choices of a prompt of full blocks', { promptTokens: 32, maxTokens: 17, n: 4 }, [2 + 1, 1]],
  ])('counts the blocks of %s', (_, request, expected) => {
    expect(blocks(request)).toEqual(expected);
  });
});

it('a budget promises no more than there is', () => {
  const budget = createKvBudget(10);
  expect([budget.reserve(6), budget.reserve(5), budget.reserve(4)]).toEqual([true, false, true]);
  budget.release(6);
  expect([budget.reserve(7), budget.reserve(6), budget.reservedBytes]).toEqual([false, true, 10]);
});

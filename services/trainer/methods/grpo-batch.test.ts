import { expect, test } from 'vitest';
import { grpoSpecSchema } from '../../contracts/run-spec/methods.ts';
import type { Rollout, RolloutGroup } from '../rollout/collect-rollouts.ts';
import { grpoBatch } from './grpo-batch.ts';

/** Rollouts of so many tokens, with their rewards; the longest length is 8. */
function group(...rollouts: readonly (readonly [tokens: number, reward: number])[]): RolloutGroup {
  return {
    task: { id: 'a', prompt: [1, 2, 3], source: 'a', messages: 1, answer: '', columns: {} },
    rollouts: rollouts.map(
      ([tokens, reward]): Rollout => ({
        ...{
          completion: new Array(tokens).fill(7),
          logprobs: new Array(tokens).fill(-1),
          text: '',
          reward,
          rewards: {},
        },
        ...{ truncated: tokens === 8, success: reward === 1, turns: 1, messages: 2, version: 0 },
      }),
    ),
    skipped: null,
  };
}
const batch = (groups: readonly RolloutGroup[], written: Record<string, unknown> = {}, batchSize = 1) =>
  grpoBatch(groups, { grpo: grpoSpecSchema.parse(written), maxNewTokens: 8, batchSize });
const lengths = ({ sequences }: ReturnType<typeof batch>) => sequences.map(({ completion }) => completion.length);

test('groups that agree are left out, and the rest is a mean over its tokens', () => {
  const found = batch([group([2, 1], [4, 1]), group([3, 0], [5, 1])]);
  expect(lengths(found)).toEqual([3, 5]);
  expect(found).toMatchObject({ groupsKept: 1, groupsFiltered: 1, trainableTokens: 8, totalTokens: 26, truncated: 0 });
  expect(found.sequences.map(({ share }) => share)).toEqual([1 / 8, 1 / 8]);
  expect(found.sequences[0]!.advantage).toBeCloseTo(-found.sequences[1]!.advantage, 6);
});

test('dr_grpo does not divide by the deviation', () => {
  const { sequences } = batch([group([3, 0], [5, 1])], { loss_type: 'dr_grpo' });
  expect(sequences.map(({ advantage }) => advantage)).toEqual([-0.5, 0.5]);
  expect(sequences.map(({ share }) => share)).toEqual([1 / 16, 1 / 16]);
});

test('a masked completion trains nothing, but its group is compared with it', () => {
  const given = [group([8, 0], [5, 1])];
  expect(batch(given).truncated).toBe(1);
  const masked = batch(given, { loss_type: 'grpo', mask_truncated_completions: true });
  expect(lengths(masked)).toEqual([5]);
  expect(masked.sequences[0]!.advantage).toBeGreaterThan(0);
  // A mean over both completions, one of which is zero.
  expect(masked.sequences[0]!.share).toBe(1 / 10);
});

test('a completion near the longest length loses reward, which can set apart a group that agreed', () => {
  const agreed = [group([4, 1], [6, 1], [8, 1])];
  expect(batch(agreed).groupsKept).toBe(0);
  const shaped = batch(agreed, { loss_type: 'dr_grpo', overlong_buffer_tokens: 4, overlong_penalty: 2 });
  // Rewards of 1, 0 and -1.
  expect(shaped.sequences.map(({ advantage }) => advantage)).toEqual([1, 0, -1]);
  expect(shaped.overlongPenalty).toBe(1);
});

test('an empty completion has nothing to learn from', () => {
  expect(lengths(batch([group([0, 0], [5, 1])]))).toEqual([5]);
});

test('bnpo is local to each accumulated batch', () => {
  const { sequences } = batch([group([2, 0], [2, 1]), group([6, 0], [6, 1])], { loss_type: 'bnpo' });
  expect(sequences.map(({ share }) => share)).toEqual([1 / 8, 1 / 8, 1 / 24, 1 / 24]);
  // The third group was sampled in the place of the first, so it shares the batch of the second.
  const groups = [group([2, 1], [2, 1]), group([2, 0], [2, 1]), group([6, 0], [6, 1])];
  const sampled = (dynamic_sampling: boolean) =>
    batch(groups, { loss_type: 'bnpo', dynamic_sampling }, 2).sequences.map(({ share }) => share);
  expect(sampled(true)).toEqual([1 / 16, 1 / 16, 1 / 16, 1 / 16]);
  expect(sampled(false)).toEqual([1 / 8, 1 / 8, 1 / 24, 1 / 24]);
});

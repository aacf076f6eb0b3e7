import type { RunSpec } from '../../contracts/run-spec.ts';
import type { Sequence } from '../learner/micro-batches.ts';
import { groupAdvantages } from '../objectives/group-advantages.ts';
import { grpoRules } from '../objectives/grpo-rules.ts';
import { overlongPenalty } from '../objectives/overlong-penalty.ts';
import { tokenShares } from '../objectives/token-shares.ts';
import type { Rollout, RolloutGroup } from '../rollout/collect-rollouts.ts';

/** A rollout to learn from. */
export interface GrpoSequence extends Sequence {
  readonly advantage: number;
  /** Of each completion token, as the server sampled it. */
  readonly rolloutLogprobs: readonly number[];
  /** Weight of each of its tokens in the loss. */
  readonly share: number;
}

/** What is learned from the rollouts of one step. */
export interface GrpoBatch {
  /** Those with something to learn from: of groups that were kept, not masked and not empty. */
  readonly sequences: readonly GrpoSequence[];
  readonly groupsKept: number;
  readonly groupsFiltered: number;
  /** Completion tokens of `sequences`. */
  readonly trainableTokens: number;
  /** Tokens of all rollouts, prompts included. */
  readonly totalTokens: number;
  /** Rollouts that were cut off at the longest length, of all. */
  readonly truncated: number;
  /** Mean of what rollouts lost by their length. */
  readonly overlongPenalty: number;
}

export interface GrpoBatchOptions {
  readonly grpo: RunSpec['grpo'];
  readonly maxNewTokens: number;
  /** Tasks of one accumulated batch. */
  readonly batchSize: number;
}

/** What a rollout counts for in its group: its reward, less what it loses by its length. */
export function shapedReward({ reward, completion }: Rollout, { grpo, maxNewTokens }: GrpoBatchOptions): number {
  const { overlong_buffer_tokens: buffer, overlong_penalty: penalty } = grpo;
  return reward + overlongPenalty(completion.length, { maxNewTokens, buffer, penalty });
}

/** Compares each group's rollouts with one another; groups without a difference are left out. */
export function grpoBatch(groups: readonly RolloutGroup[], options: GrpoBatchOptions): GrpoBatch {
  const { grpo, maxNewTokens, batchSize } = options;
  const rollouts = groups.flatMap((group) => group.rollouts);
  const { advantages, kept, groupsKept, groupsFiltered } = groupAdvantages(
    groups.map((group) => group.rollouts.map((rollout) => shapedReward(rollout, options))),
    { byDeviation: grpoRules[grpo.loss_type].byDeviation },
  );
  // A group that was sampled in the place of another belongs to the batch of that one.
  const places = grpo.dynamic_sampling ? kept.map((_, i) => kept.slice(0, i).filter(Boolean).length) : [...kept.keys()];
  const compared = groups.flatMap(({ task, rollouts }, group) =>
    kept[group] ? rollouts.map((rollout, i) => ({ task, rollout, group, advantage: advantages[group]![i]! })) : [],
  );
  // A masked completion has no token in the loss, but is one of those that it is a mean over.
  const sizes = compared.map(({ rollout, group }) => ({
    tokens: grpo.mask_truncated_completions && rollout.truncated ? 0 : rollout.completion.length,
    part: Math.floor(places[group]! / batchSize),
  }));
  const shares = tokenShares(grpo.loss_type, sizes, maxNewTokens);
  const sequences = compared.flatMap(({ task, rollout, advantage }, i) => {
    if (sizes[i]!.tokens === 0) return [];
    const { completion, logprobs: rolloutLogprobs } = rollout;
    return [{ prompt: task.prompt, completion, rolloutLogprobs, advantage, share: shares[i]! }];
  });
  const prompts = groups.reduce((sum, { task, rollouts }) => sum + task.prompt.length * rollouts.length, 0);
  const lost = rollouts.reduce((sum, rollout) => sum + rollout.reward - shapedReward(rollout, options), 0);
  return {
    sequences,
    groupsKept,
    groupsFiltered,
    trainableTokens: sequences.reduce((sum, { completion }) => sum + completion.length, 0),
    totalTokens: prompts + rollouts.reduce((sum, { completion }) => sum + completion.length, 0),
    truncated: rollouts.filter(({ truncated }) => truncated).length,
    overlongPenalty: rollouts.length === 0 ? 0 : lost / rollouts.length,
  };
}

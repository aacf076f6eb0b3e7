import type { Sequence } from '../learner/micro-batches.ts';
import { groupAdvantages } from '../objectives/group-advantages.ts';
import type { RolloutGroup } from '../rollout/collect-rollouts.ts';

/** A rollout to learn from. */
export interface GrpoSequence extends Sequence {
  readonly advantage: number;
  /** Of each completion token, as the server sampled it. */
  readonly rolloutLogprobs: readonly number[];
}

/** What is learned from the rollouts of one step. */
export interface GrpoBatch {
  readonly sequences: readonly GrpoSequence[];
  readonly groupsKept: number;
  readonly groupsFiltered: number;
  /** Completion tokens of the groups that were kept. */
  readonly trainableTokens: number;
  /** Tokens of all rollouts, prompts included. */
  readonly totalTokens: number;
}

/** Compares each group's rollouts with one another; groups without a difference are left out. */
export function grpoBatch(groups: readonly RolloutGroup[]): GrpoBatch {
  const { advantages, kept, groupsKept, groupsFiltered } = groupAdvantages(
    groups.map(({ rollouts }) => rollouts.map(({ reward }) => reward)),
  );
  const sequences = groups.flatMap(({ task, rollouts }, group) =>
    kept[group]
      ? rollouts.map(({ completion, logprobs: rolloutLogprobs }, i) => ({
          prompt: task.prompt,
          completion,
          rolloutLogprobs,
          advantage: advantages[group]![i]!,
        }))
      : [],
  );
  const lengths = groups.flatMap(({ task, rollouts }) =>
    rollouts.map(({ completion }) => task.prompt.length + completion.length),
  );
  return {
    sequences,
    groupsKept,
    groupsFiltered,
    trainableTokens: sequences.reduce((sum, { completion }) => sum + completion.length, 0),
    totalTokens: lengths.reduce((sum, length) => sum + length, 0),
  };
}

import type { DataPosition } from '../data/data-order.ts';
import type { MetricValues } from '../metrics.ts';
import { type Rollout, type RolloutGroup, requireScored } from '../rollout/collect-rollouts.ts';

/** The rollouts that one GRPO step learns from. */
export interface Collected {
  readonly groups: readonly RolloutGroup[];
  /** Tasks that a reward could not score. */
  readonly skipped: number;
  readonly rollouts: readonly Rollout[];
  /** Share of rollouts that succeeded. */
  readonly accuracy: number;
  /** Position in the data after these tasks. */
  readonly next: DataPosition;
  /** Of sampling, 1 unless groups were replaced. */
  readonly rounds: number;
  readonly seconds: number;
  /** Of these, until the server served the current policy. */
  readonly weightSyncSeconds: number;
  /** What is measured only where rollouts go on while the policy is trained. */
  readonly ahead: MetricValues;
}

/** @throws TrainerError `reward_error` when none of the groups can be learned from */
export function collectedOf(
  played: readonly RolloutGroup[],
  rest: Pick<Collected, 'next' | 'rounds' | 'seconds' | 'weightSyncSeconds' | 'ahead'>,
): Collected {
  const groups = requireScored(played);
  const rollouts = groups.flatMap((group) => group.rollouts);
  const accuracy = rollouts.filter(({ success }) => success).length / rollouts.length;
  return { groups, skipped: played.length - groups.length, rollouts, accuracy, ...rest };
}

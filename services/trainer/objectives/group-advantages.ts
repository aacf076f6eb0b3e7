/** Advantages of one batch of groups; a group is the rollouts of one task. */
export interface GroupAdvantages {
  /** One advantage per rollout, in the shape of the rewards. */
  readonly advantages: readonly Float32Array[];
  /** Per group: whether it has a non-zero advantage. The others carry no gradient and are filtered. */
  readonly kept: readonly boolean[];
  readonly groupsKept: number;
  readonly groupsFiltered: number;
}

/** As TRL has it; keeps groups with a tiny spread of rewards from exploding. */
const EPSILON = 1e-4;

/**
 * Group-normalised advantages (GRPO; Shao et al.: "DeepSeekMath", arXiv:2402.03300, 4.1.2): `A = (R - mean) / (std + 1e-4)` within each
 * group, with the sample standard deviation (n - 1) that TRL and verl use. Positive means better than the group.
 *
 * A group whose rewards all agree has zero advantages and is not kept (dynamic sampling's filter; DAPO, arXiv:2503.14476, 3.2); so is a
 * group of one.
 *
 * @param options.byDeviation false: `A = R - mean`, as Dr. GRPO has it (Liu et al., arXiv:2503.20783, 3.2).
 * @throws RangeError for a reward that is not a finite number.
 */
export function groupAdvantages(
  rewards: readonly (readonly number[])[],
  options: { readonly byDeviation: boolean } = { byDeviation: true },
): GroupAdvantages {
  const advantages = rewards.map((group, index) => normalise(group, index, options.byDeviation));
  const kept = advantages.map((group) => group.some((advantage) => advantage !== 0));
  const groupsKept = kept.filter(Boolean).length;
  return { advantages, kept, groupsKept, groupsFiltered: kept.length - groupsKept };
}

function normalise(rewards: readonly number[], group: number, byDeviation: boolean): Float32Array {
  const wrong = rewards.findIndex((reward) => !Number.isFinite(reward));
  if (wrong >= 0) {
    throw new RangeError(
      `the reward of rollout ${wrong} in group ${group} is ${rewards[wrong]}; a reward must be a finite number`,
    );
  }
  // Compared, not computed: the mean of equal rewards can be off by a bit, which would keep a group that says nothing.
  if (rewards.every((reward) => reward === rewards[0])) return new Float32Array(rewards.length);

  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
  if (!byDeviation) return Float32Array.from(rewards, (reward) => reward - mean);
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (rewards.length - 1));
  return Float32Array.from(rewards, (reward) => (reward - mean) / (deviation + EPSILON));
}

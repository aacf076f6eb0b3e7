import type { RunSpec } from '../../../contracts/run-spec.ts';
import { TrainerError } from '../../failure.ts';
import { exactReward } from './exact.ts';
import { numericReward } from './numeric.ts';

/** Scores one completion against the answer; 1 is right, 0 is wrong. */
export type RewardFunction = (completion: string, answer: string) => number;

/** The weighted sum of a run's rewards. */
export interface Reward {
  score(completion: string, answer: string): number;
  /** The score of a completion that every reward calls right: what counts as success. */
  readonly highest: number;
}

const rewards: Readonly<Record<RunSpec['reward'][number]['name'], RewardFunction>> = {
  exact: exactReward,
  numeric: numericReward,
};

/** @throws TrainerError `reward_error` from `score`, when a score is not a finite number. */
export function createReward(spec: RunSpec['reward']): Reward {
  return {
    highest: spec.reduce((sum, { weight }) => sum + Math.max(0, weight), 0),
    score(completion, answer) {
      const score = spec.reduce((sum, { name, weight }) => sum + weight * rewards[name](completion, answer), 0);
      if (Number.isFinite(score)) return score;
      throw new TrainerError(
        'reward_error',
        `the reward of a completion is ${score}, not a finite number`,
        'Lower the weights in reward.',
      );
    },
  };
}

import type { RewardSpec } from '../../../contracts/run-spec/reward.ts';
import { ScoringError } from './scorer.ts';
import { isTimeUp, withinTime } from './within-time.ts';

/** Of one completion. A pattern that takes longer tries ever more ways to match, and no completion is so long that it should. */
export const MATCH_MS = 1000;

type RegexSpec = Extract<RewardSpec, { name: 'regex' }>;

/** 1 when the pattern is found in the completion. @throws ScoringError when that cannot be told in time */
export function createRegexReward({ pattern, flags }: Pick<RegexSpec, 'pattern' | 'flags'>, limitMs = MATCH_MS) {
  const expression = new RegExp(pattern, flags);
  return (completion: string): number => {
    try {
      return withinTime(limitMs, () => (expression.test(completion) ? 1 : 0));
    } catch (error) {
      if (!isTimeUp(error)) throw error;
      throw new ScoringError(
        `the pattern was not done after ${limitMs / 1000} s`,
        'Rewrite the pattern so that no two repetitions can match the same text, such as (a+)+ and .*.*.',
      );
    }
  };
}

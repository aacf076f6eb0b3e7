import type { RewardSpec } from '../../../contracts/run-spec/reward.ts';
import type { Completion } from './scorer.ts';

type LengthSpec = Pick<Extract<RewardSpec, { name: 'length' }>, 'unit' | 'min' | 'max' | 'slack'>;

/** 1 from `min` to `max`; outside it falls evenly, and is 0 at `slack` and more away, or at once without slack. */
export function lengthReward({ text, tokens }: Completion, { unit, min, max, slack }: LengthSpec): number {
  // As people count: by characters, not by halves of surrogate pairs.
  const length = unit === 'tokens' ? tokens.length : [...text].length;
  const outside = Math.max(min - length, max === null ? 0 : length - max, 0);
  if (outside === 0) return 1;
  return Math.max(0, 1 - outside / Math.max(slack, 1));
}

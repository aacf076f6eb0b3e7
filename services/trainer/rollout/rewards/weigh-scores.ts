import { ScoringError } from './scorer.ts';

/** A larger reward, or a difference of two, would overflow float32 (3.4e38) in the gradients, and its square even float64 (1.8e308). */
const LARGEST = 1e30;

/** Of one completion by one reward, before its weight; null where the reward leaves the completion out. */
export type OneScore = number | null;

/**
 * What a reward gave for the completions of a task, if it can be computed with.
 * @param expected `remedy` tells the user what to give instead; `leavesOut`: null stands for "no score of mine"
 * @throws ScoringError
 */
export function requireScores(
  scores: readonly unknown[],
  expected: { readonly count: number; readonly weight: number; readonly leavesOut: boolean; readonly remedy: string },
): readonly OneScore[] {
  const { count, weight, leavesOut, remedy } = expected;
  if (scores.length !== count) throw new ScoringError(`gave ${scores.length} scores for ${count} completions`, remedy);
  const wrong = scores.findIndex((score) => !Number.isFinite(score) && !(leavesOut && score === null));
  if (wrong >= 0)
    throw new ScoringError(`gave ${JSON.stringify(scores[wrong])}, which is no finite number`, remedy, wrong);
  const given = scores as readonly OneScore[];
  const huge = given.findIndex((score) => score !== null && Math.abs(score * weight) > LARGEST);
  if (huge < 0) return given;
  const times = weight === 1 ? '' : ` (times its weight ${weight})`;
  throw new ScoringError(
    `gave ${given[huge]}${times}, which is too large to learn from: at most ${LARGEST} can be computed with`,
    'Scale the scores, best to about 0 to 1, or lower the weight of the reward.',
    huge,
  );
}

/**
 * The sum by weight over the rewards that score a completion, as TRL's `nansum` has it; and whether it is the largest such sum, each of them saying 1.
 * @param weights of the rewards, in the order of `scores`
 */
export function weighScores(
  weights: readonly number[],
  scores: readonly OneScore[],
): { readonly total: number; readonly success: boolean } {
  let [total, highest] = [0, 0];
  for (const [i, score] of scores.entries()) {
    if (score === null) continue;
    total += weights[i]! * score;
    highest += Math.max(0, weights[i]!);
  }
  return { total, success: total >= highest };
}

import { clippedSurrogate } from './clipped-surrogate.ts';
import { clippedWeight } from './clipped-weight.ts';
import { sequenceSurrogate } from './sequence-surrogate.ts';
import type { ClipRange, SurrogateRule } from './surrogate.ts';

export type GrpoLossType = 'grpo' | 'dr_grpo' | 'dapo' | 'bnpo' | 'gspo' | 'cispo';

interface Rule {
  readonly surrogate: SurrogateRule;
  /** Bounds when the spec names none. */
  readonly range: ClipRange;
  /** Whether advantages are divided by the standard deviation of their group. */
  readonly byDeviation: boolean;
}

/** DAPO's clip-higher, for all that clip the ratio of a token (arXiv:2503.14476, 4.1). */
const tokenRange: ClipRange = { low: 0.2, high: 0.28 };

/** What makes a variant of GRPO; its normaliser is in `token-shares.ts`. */
export const grpoRules: Readonly<Record<GrpoLossType, Rule>> = {
  grpo: { surrogate: clippedSurrogate, range: tokenRange, byDeviation: true },
  // Dividing by the deviation favours tasks that are nearly always or nearly never solved (arXiv:2503.20783, 3.1).
  dr_grpo: { surrogate: clippedSurrogate, range: tokenRange, byDeviation: false },
  dapo: { surrogate: clippedSurrogate, range: tokenRange, byDeviation: true },
  bnpo: { surrogate: clippedSurrogate, range: tokenRange, byDeviation: true },
  // arXiv:2507.18071, 5.1: the ratio of a sequence hardly leaves 1.
  gspo: { surrogate: sequenceSurrogate, range: { low: 3e-4, high: 4e-4 }, byDeviation: true },
  // The largest weight; ScaleRL's value (arXiv:2510.13786), TRL's recommendation.
  cispo: { surrogate: clippedWeight, range: { low: 1, high: 5 }, byDeviation: true },
};

/** The bounds that a spec asks for; what it leaves out is the variant's own. */
export function clipRange(lossType: GrpoLossType, low: number | null, high: number | null): ClipRange {
  const { range } = grpoRules[lossType];
  return { low: low ?? range.low, high: high ?? range.high };
}

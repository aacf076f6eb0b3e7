/** The tokens of one completion, one value per token in every array. */
export interface CompletionTokens {
  readonly logprobs: Float32Array;
  /** Of the policy that the ratio is taken to; a constant. */
  readonly anchorLogprobs: Float32Array;
  readonly advantages: Float32Array;
  /** Importance weight of each token against trainer/server mismatch; a constant. */
  readonly weights: Float64Array;
}

/** How far the ratio may go: `low` is the distance below 1, `high` the distance above 1 (CISPO: the largest weight itself). */
export interface ClipRange {
  readonly low: number;
  readonly high: number;
}

/** What the policy term makes of a completion's tokens. To be minimised: positive losses are bad. */
export interface Surrogate {
  readonly losses: Float64Array;
  /** d (sum of `losses`) / d `logprobs`. */
  readonly gradients: Float64Array;
  /** Ratios, as far as the term has one for each token; the sequence's for all its tokens in GSPO. */
  readonly ratios: Float64Array;
  /** -1 for a token that is held at the lower bound, 1 at the upper one, else 0. */
  readonly clipped: Int8Array;
}

export type SurrogateRule = (tokens: CompletionTokens, range: ClipRange) => Surrogate;

export function emptySurrogate(length: number): Surrogate {
  return {
    losses: new Float64Array(length),
    gradients: new Float64Array(length),
    ratios: new Float64Array(length),
    clipped: new Int8Array(length),
  };
}

/** Where the minimum of PPO holds a ratio: it never takes away a reason to go back. */
export function clippedSide(ratio: number, advantage: number, { low, high }: ClipRange): -1 | 0 | 1 {
  if (advantage < 0 && ratio < 1 - low) return -1;
  return advantage > 0 && ratio > 1 + high ? 1 : 0;
}

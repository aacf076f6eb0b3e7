export type MismatchCorrection = 'tis' | 'sequence_mask' | 'off';

/** Importance weights of one completion against what the server sampled from. */
export interface MismatchWeights {
  readonly weights: Float64Array;
  /** Per token: whether the cap took something away. */
  readonly truncated: Uint8Array;
}

/**
 * How the tokens of one completion count, since the server that sampled them does not compute exactly as the trainer does; constants for
 * the gradient, with `d_t = oldLogprobs_t - rolloutLogprobs_t`:
 *
 * - `tis`: `w_t = min(exp(d_t), cap)`, truncated importance sampling (Yao et al.: "Your efficient RL framework secretly brings you
 *   off-policy RL training", 2025), TRL's `token_truncate`
 * - `sequence_mask`: `w_t = exp(sum d)` for all tokens, or 0 for all where that is above the cap (Liu et al.: "When speed kills stability", 2025),
 *   TRL's `sequence_mask`
 * - `off`: 1
 */
export function mismatchWeights(
  oldLogprobs: Float32Array,
  rolloutLogprobs: Float32Array | null,
  { correction, cap }: { readonly correction: MismatchCorrection; readonly cap: number },
): MismatchWeights {
  const length = oldLogprobs.length;
  const weights = new Float64Array(length).fill(1);
  const truncated = new Uint8Array(length);
  if (rolloutLogprobs === null || correction === 'off') return { weights, truncated };
  if (correction === 'tis') {
    for (let t = 0; t < length; t++) {
      const weight = Math.exp(oldLogprobs[t]! - rolloutLogprobs[t]!);
      weights[t] = Math.min(weight, cap);
      truncated[t] = weight > cap ? 1 : 0;
    }
    return { weights, truncated };
  }
  let sum = 0;
  for (let t = 0; t < length; t++) sum += oldLogprobs[t]! - rolloutLogprobs[t]!;
  const weight = Math.exp(sum);
  weights.fill(weight > cap ? 0 : weight);
  truncated.fill(weight > cap ? 1 : 0);
  return { weights, truncated };
}

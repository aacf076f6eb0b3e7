import { type ClipRange, type CompletionTokens, emptySurrogate, type Surrogate } from './surrogate.ts';

/**
 * CISPO (MiniMax: "MiniMax-M1", arXiv:2506.13585, eq. 4 and 5): policy gradient with a capped importance weight, so that no token loses its
 * gradient:
 *
 * `loss_t = -w_t stop(min(r_t, high)) A_t logprobs_t`, `r_t = exp(logprobs_t - anchorLogprobs_t)`
 *
 * `high` is the largest weight itself, and there is no lower bound, as in the paper's experiments and TRL. The value is no distance to
 * anything: only its gradient says something. Sign: to be minimised. No normaliser: `token-shares.ts`.
 */
export function clippedWeight(tokens: CompletionTokens, { high }: ClipRange): Surrogate {
  const { logprobs, anchorLogprobs, advantages, weights } = tokens;
  const result = emptySurrogate(logprobs.length);
  for (let t = 0; t < logprobs.length; t++) {
    const ratio = Math.exp(logprobs[t]! - anchorLogprobs[t]!);
    const factor = -weights[t]! * Math.min(ratio, high) * advantages[t]!;
    result.ratios[t] = ratio;
    result.clipped[t] = ratio > high ? 1 : 0;
    result.losses[t] = factor * logprobs[t]!;
    result.gradients[t] = factor;
  }
  return result;
}

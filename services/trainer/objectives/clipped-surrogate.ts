import { type ClipRange, type CompletionTokens, clippedSide, emptySurrogate, type Surrogate } from './surrogate.ts';

/**
 * The clipped surrogate of PPO per token, as GRPO (Shao et al., arXiv:2402.03300, eq. 3), Dr. GRPO, BNPO and DAPO have it:
 *
 * `loss_t = -w_t min(r_t A_t, clip(r_t, 1 - low, 1 + high) A_t)`, `r_t = exp(logprobs_t - anchorLogprobs_t)`
 *
 * With `high` above `low` it is DAPO's clip-higher (arXiv:2503.14476, 3.1). Sign: to be minimised. No normaliser: `token-shares.ts`.
 */
export function clippedSurrogate(tokens: CompletionTokens, range: ClipRange): Surrogate {
  const { logprobs, anchorLogprobs, advantages, weights } = tokens;
  const result = emptySurrogate(logprobs.length);
  for (let t = 0; t < logprobs.length; t++) {
    const advantage = advantages[t]!;
    const ratio = Math.exp(logprobs[t]! - anchorLogprobs[t]!);
    const side = clippedSide(ratio, advantage, range);
    const bounded = side === 0 ? ratio : side < 0 ? 1 - range.low : 1 + range.high;
    result.ratios[t] = ratio;
    result.clipped[t] = side;
    result.losses[t] = -weights[t]! * bounded * advantage;
    result.gradients[t] = side === 0 ? -weights[t]! * advantage * ratio : 0;
  }
  return result;
}

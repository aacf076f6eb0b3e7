import { type ClipRange, type CompletionTokens, clippedSide, emptySurrogate, type Surrogate } from './surrogate.ts';

/**
 * The sequence-level surrogate of GSPO (Zheng et al.: "Group Sequence Policy Optimization", arXiv:2507.18071, eq. 5 to 7): one ratio for
 * the completion, the geometric mean of its tokens',
 *
 * `s = exp(1/|o| sum_t (logprobs_t - anchorLogprobs_t))`, `loss_t = -w_t min(s A_t, clip(s, 1 - low, 1 + high) A_t)`
 *
 * It stands at every token, so that weights and advantages may differ by token; their mean over the completion is the paper's term. Each
 * token has a share of 1/|o| in `s`, hence the gradient. Sign: to be minimised. No normaliser: `token-shares.ts`.
 */
export function sequenceSurrogate(tokens: CompletionTokens, range: ClipRange): Surrogate {
  const { logprobs, anchorLogprobs, advantages, weights } = tokens;
  const length = logprobs.length;
  const result = emptySurrogate(length);
  if (length === 0) return result;
  let sum = 0;
  for (let t = 0; t < length; t++) sum += logprobs[t]! - anchorLogprobs[t]!;
  const ratio = Math.exp(sum / length);
  let slope = 0;
  for (let t = 0; t < length; t++) {
    const advantage = advantages[t]!;
    const side = clippedSide(ratio, advantage, range);
    const bounded = side === 0 ? ratio : side < 0 ? 1 - range.low : 1 + range.high;
    result.losses[t] = -weights[t]! * bounded * advantage;
    result.clipped[t] = side;
    if (side === 0) slope -= weights[t]! * advantage * ratio;
  }
  result.ratios.fill(ratio);
  result.gradients.fill(slope / length);
  return result;
}

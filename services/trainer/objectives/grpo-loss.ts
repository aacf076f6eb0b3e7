import { addToken, emptyGrpoMetrics, type GrpoMetrics } from './grpo-metrics.ts';
import { type GrpoLossType, grpoRules } from './grpo-rules.ts';
import { type MismatchCorrection, mismatchWeights } from './mismatch-weights.ts';
import type { ClipRange } from './surrogate.ts';

/** One value per trainable (completion) token, in the same order in every array; completions follow one another. */
export interface GrpoTokens {
  /** Tokens of each completion. */
  readonly lengths: readonly number[];
  /** Weight of one token of each completion in the loss, from `tokenShares` of the whole batch. */
  readonly shares: Float64Array;
  /** Of the policy being trained, at the rollout's temperature. */
  readonly logprobs: Float32Array;
  /** Of the policy before this step's updates, computed by the trainer; equal to `logprobs` at the first of them. */
  readonly oldLogprobs: Float32Array;
  /** What the inference server reported while sampling; null: no mismatch is measured or corrected. */
  readonly rolloutLogprobs: Float32Array | null;
  /** Of the reference policy; needed when `klCoef` is above 0. */
  readonly referenceLogprobs: Float32Array | null;
  /** Each rollout's advantage, repeated over its tokens. */
  readonly advantages: Float32Array;
  /** Entropy of the policy's distribution, for the metrics only; null: reported as 0. */
  readonly entropies: Float32Array | null;
}

export interface GrpoOptions {
  readonly lossType: GrpoLossType;
  readonly clip: ClipRange;
  readonly klCoef: number;
  /** True: the ratio is to `oldLogprobs`, weighted against mismatch. False: straight to what sampled, `rolloutLogprobs`, without a weight. */
  readonly decoupled: boolean;
  readonly mismatch: { readonly correction: MismatchCorrection; readonly cap: number };
  /** Trainable tokens of the whole batch. A batch may be given in parts; losses, gradients and metrics of the parts then add up. */
  readonly totalTokens: number;
}

export interface GrpoLoss {
  /** To be minimised: `policyLoss + klLoss`. */
  readonly loss: number;
  /** d loss / d `logprobs`. */
  readonly gradLogprobs: Float32Array;
  readonly metrics: GrpoMetrics;
}

/**
 * The GRPO loss of whole completions:
 *
 * `loss = sum_s share_s sum_t [ term_t + klCoef * k3_t ]`
 *
 * - `term`: the variant's policy term (`grpo-rules.ts`), weighted against mismatch (`mismatch-weights.ts`)
 * - `share`: the variant's normaliser (`token-shares.ts`); the KL term has the same
 * - `k3 = exp(d) - d - 1` with `d = referenceLogprobs - logprobs` (Schulman: "Approximating KL divergence", 2020; GRPO,
 *   arXiv:2402.03300, eq. 4)
 * - `decoupled`: three policies, as AReaL has them (Fu et al., arXiv:2505.24298, 5.2): the ratio is bounded around the policy before the step,
 *   and what that differs by from the one that sampled is a weight. Else the ratio is to the one that sampled.
 *
 * Metrics are means over tokens, whatever the normaliser.
 *
 * @throws RangeError when arrays differ in length, `totalTokens` is below 1, or logprobs that are needed are missing.
 */
export function grpoLoss(tokens: GrpoTokens, options: GrpoOptions): GrpoLoss {
  check(tokens, options);
  const { klCoef, totalTokens } = options;
  const gradLogprobs = new Float32Array(tokens.logprobs.length);
  const metrics = emptyGrpoMetrics();
  let start = 0;
  for (const [s, length] of tokens.lengths.entries()) {
    const of = slices(tokens, start, start + length);
    const mismatch = options.decoupled ? options.mismatch : { correction: 'off' as const, cap: 1 };
    const { weights, truncated } = mismatchWeights(of.oldLogprobs, of.rolloutLogprobs, mismatch);
    const anchorLogprobs = options.decoupled ? of.oldLogprobs : of.rolloutLogprobs!;
    const { logprobs, advantages, referenceLogprobs, rolloutLogprobs } = of;
    const term = grpoRules[options.lossType].surrogate({ logprobs, anchorLogprobs, advantages, weights }, options.clip);
    const share = tokens.shares[s]!;
    for (let t = 0; t < length; t++) {
      const toReference = referenceLogprobs === null ? 0 : referenceLogprobs[t]! - logprobs[t]!;
      gradLogprobs[start + t] = share * (term.gradients[t]! + klCoef * (1 - Math.exp(toReference)));
      addToken(metrics, {
        share,
        tokenShare: 1 / totalTokens,
        policyLoss: term.losses[t]!,
        kl: Math.exp(toReference) - toReference - 1,
        klCoef,
        ratio: term.ratios[t]!,
        clipped: term.clipped[t]!,
        mismatch: rolloutLogprobs === null ? 0 : of.oldLogprobs[t]! - rolloutLogprobs[t]!,
        weight: weights[t]!,
        truncated: truncated[t] === 1,
        entropy: of.entropies?.[t] ?? 0,
      });
    }
    start += length;
  }
  return { loss: metrics.policyLoss + metrics.klLoss, gradLogprobs, metrics };
}

function slices(tokens: GrpoTokens, start: number, end: number) {
  return {
    logprobs: tokens.logprobs.subarray(start, end),
    oldLogprobs: tokens.oldLogprobs.subarray(start, end),
    advantages: tokens.advantages.subarray(start, end),
    rolloutLogprobs: tokens.rolloutLogprobs?.subarray(start, end) ?? null,
    referenceLogprobs: tokens.referenceLogprobs?.subarray(start, end) ?? null,
    entropies: tokens.entropies?.subarray(start, end) ?? null,
  };
}

function check(tokens: GrpoTokens, { klCoef, totalTokens, decoupled }: GrpoOptions): void {
  const { lengths, shares, ...arrays } = tokens;
  const length = lengths.reduce((sum, tokens) => sum + tokens, 0);
  for (const [name, values] of Object.entries(arrays) as [string, Float32Array | null][]) {
    if (values !== null && values.length !== length) {
      throw new RangeError(
        `${name} has ${values.length} values; lengths add up to ${length}: they must describe the same tokens`,
      );
    }
  }
  if (shares.length !== lengths.length) {
    throw new RangeError(`shares has ${shares.length} values for ${lengths.length} completions`);
  }
  if (!(totalTokens >= Math.max(1, length))) {
    throw new RangeError(
      `totalTokens is ${totalTokens}; it counts the trainable tokens of the whole batch, here at least ${Math.max(1, length)}`,
    );
  }
  if (klCoef > 0 && tokens.referenceLogprobs === null)
    throw new RangeError('klCoef is above 0, which needs referenceLogprobs');
  if (!decoupled && tokens.rolloutLogprobs === null)
    throw new RangeError('a loss that is not decoupled needs rolloutLogprobs');
}

import { addToken, emptyGrpoMetrics, type GrpoMetrics } from './grpo-metrics.ts';

/** One value per trainable (completion) token, in the same order in every array. */
export interface GrpoTokens {
  /** Of the policy being trained, at the rollout's temperature. */
  readonly logprobs: Float32Array;
  /** Of the policy before this update, computed by the trainer; equal to `logprobs` when a batch is used for one update. */
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
  readonly epsilonLow: number;
  readonly epsilonHigh: number;
  readonly klCoef: number;
  /** Upper bound of the importance weight against trainer/server mismatch; null: no correction. */
  readonly mismatchCap: number | null;
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
 * The GRPO loss, a token mean over the whole batch:
 *
 * `loss = 1/totalTokens * sum_t [ -w_t min(r_t A_t, clip(r_t, 1 - epsilonLow, 1 + epsilonHigh) A_t) + klCoef * k3_t ]`
 *
 * - ratio `r = exp(logprobs - oldLogprobs)`, clipped as in PPO, with clip-higher and the token mean of DAPO (arXiv:2503.14476, 3.1, 3.3)
 * - `w = min(exp(oldLogprobs - rolloutLogprobs), mismatchCap)`, truncated importance sampling (Yao et al.: "Your efficient RL framework
 *   secretly brings you off-policy RL training", 2025), a constant for the gradient
 * - `k3 = exp(d) - d - 1` with `d = referenceLogprobs - logprobs` (Schulman: "Approximating KL divergence", 2020; GRPO,
 *   arXiv:2402.03300, eq. 4)
 *
 * @throws RangeError when arrays differ in length, `totalTokens` is below 1, or the reference is missing.
 */
export function grpoLoss(tokens: GrpoTokens, options: GrpoOptions): GrpoLoss {
  check(tokens, options);
  const { logprobs, oldLogprobs, rolloutLogprobs, referenceLogprobs, advantages, entropies } = tokens;
  const { epsilonLow, epsilonHigh, klCoef, mismatchCap, totalTokens } = options;
  const gradLogprobs = new Float32Array(logprobs.length);
  const metrics = emptyGrpoMetrics();

  for (let t = 0; t < logprobs.length; t++) {
    const advantage = advantages[t]!;
    const ratio = Math.exp(logprobs[t]! - oldLogprobs[t]!);
    const clippedLow = advantage < 0 && ratio < 1 - epsilonLow;
    const clippedHigh = advantage > 0 && ratio > 1 + epsilonHigh;
    const bounded = clippedLow ? 1 - epsilonLow : clippedHigh ? 1 + epsilonHigh : ratio;

    const mismatch = rolloutLogprobs === null ? 0 : oldLogprobs[t]! - rolloutLogprobs[t]!;
    const weight = mismatchCap === null ? 1 : Math.min(Math.exp(mismatch), mismatchCap);
    const policyGradient = clippedLow || clippedHigh ? 0 : -weight * advantage * ratio;

    const toReference = referenceLogprobs === null ? 0 : referenceLogprobs[t]! - logprobs[t]!;
    const klGradient = klCoef * (1 - Math.exp(toReference));

    gradLogprobs[t] = (policyGradient + klGradient) / totalTokens;
    addToken(metrics, {
      share: 1 / totalTokens,
      policyLoss: -weight * bounded * advantage,
      kl: Math.exp(toReference) - toReference - 1,
      klCoef,
      ratio,
      clippedLow,
      clippedHigh,
      mismatch,
      weight,
      truncated: mismatchCap !== null && Math.exp(mismatch) > mismatchCap,
      entropy: entropies?.[t] ?? 0,
    });
  }
  return { loss: metrics.policyLoss + metrics.klLoss, gradLogprobs, metrics };
}

function check(tokens: GrpoTokens, { klCoef, totalTokens }: GrpoOptions): void {
  const length = tokens.logprobs.length;
  for (const [name, values] of Object.entries(tokens) as [string, Float32Array | null][]) {
    if (values !== null && values.length !== length) {
      throw new RangeError(
        `${name} has ${values.length} values; logprobs has ${length}: they must describe the same tokens`,
      );
    }
  }
  if (!(totalTokens >= Math.max(1, length))) {
    throw new RangeError(
      `totalTokens is ${totalTokens}; it counts the trainable tokens of the whole batch, here at least ${Math.max(1, length)}`,
    );
  }
  if (klCoef > 0 && tokens.referenceLogprobs === null)
    throw new RangeError('klCoef is above 0, which needs referenceLogprobs');
}

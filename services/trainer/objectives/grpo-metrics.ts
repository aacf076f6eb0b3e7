/**
 * What one GRPO update looked like. Everything is a mean over the tokens of the whole batch, so that the parts of a batch add up, except
 * the two extremes at the end.
 */
export interface GrpoMetrics {
  /** Clipped surrogate with its sign turned, weighted against mismatch. */
  policyLoss: number;
  /** `klCoef` times `kl`. */
  klLoss: number;
  /** k3 estimate of KL(policy || reference), nats. */
  kl: number;
  /** Share of tokens held at the lower bound (negative advantage). */
  clipFractionLow: number;
  /** Share of tokens held at the upper bound (positive advantage). */
  clipFractionHigh: number;
  /** Probability ratio to the policy before the update. */
  ratioMean: number;
  /** Nats. */
  entropy: number;
  /** k3 estimate of KL(server || trainer) over what the server sampled, nats; 0 when both compute the same. */
  mismatchKl: number;
  /** Mean of |trainer's - server's logprob|, nats. */
  mismatchAbs: number;
  /** Importance weight against mismatch, after the cap. */
  mismatchWeight: number;
  /** Share of tokens whose weight was capped. */
  mismatchTruncated: number;
  ratioMax: number;
  mismatchMax: number;
}

interface Token {
  /** 1 / tokens of the whole batch. */
  readonly share: number;
  readonly policyLoss: number;
  readonly kl: number;
  readonly klCoef: number;
  readonly ratio: number;
  readonly clippedLow: boolean;
  readonly clippedHigh: boolean;
  readonly mismatch: number;
  readonly weight: number;
  readonly truncated: boolean;
  readonly entropy: number;
}

export function emptyGrpoMetrics(): GrpoMetrics {
  return {
    policyLoss: 0,
    klLoss: 0,
    kl: 0,
    clipFractionLow: 0,
    clipFractionHigh: 0,
    ratioMean: 0,
    entropy: 0,
    mismatchKl: 0,
    mismatchAbs: 0,
    mismatchWeight: 0,
    mismatchTruncated: 0,
    ratioMax: 0,
    mismatchMax: 0,
  };
}

/** Adds one token's share, in place. */
export function addToken(metrics: GrpoMetrics, token: Token): void {
  const { share } = token;
  metrics.policyLoss += share * token.policyLoss;
  metrics.klLoss += share * token.klCoef * token.kl;
  metrics.kl += share * token.kl;
  metrics.clipFractionLow += token.clippedLow ? share : 0;
  metrics.clipFractionHigh += token.clippedHigh ? share : 0;
  metrics.ratioMean += share * token.ratio;
  metrics.entropy += share * token.entropy;
  metrics.mismatchKl += share * (Math.exp(token.mismatch) - token.mismatch - 1);
  metrics.mismatchAbs += share * Math.abs(token.mismatch);
  metrics.mismatchWeight += share * token.weight;
  metrics.mismatchTruncated += token.truncated ? share : 0;
  metrics.ratioMax = Math.max(metrics.ratioMax, token.ratio);
  metrics.mismatchMax = Math.max(metrics.mismatchMax, Math.abs(token.mismatch));
}

/** The metrics of a batch from those of its parts, which were all computed with the batch's `totalTokens`. */
export function sumGrpoMetrics(parts: readonly GrpoMetrics[]): GrpoMetrics {
  const total = emptyGrpoMetrics();
  for (const part of parts) {
    for (const key of Object.keys(total) as (keyof GrpoMetrics)[]) {
      total[key] =
        key === 'ratioMax' || key === 'mismatchMax' ? Math.max(total[key], part[key]) : total[key] + part[key];
    }
  }
  return total;
}

/**
 * What one GRPO update looked like. The two losses are normalised as the variant says, everything else is a mean over the tokens of the
 * whole batch, so that the parts of a batch add up, except the two extremes at the end.
 */
export interface GrpoMetrics {
  /** Clipped surrogate with its sign turned, weighted against mismatch. */
  policyLoss: number;
  /** `klCoef` times the k3 estimate, normalised as the policy loss is. */
  klLoss: number;
  /** k3 estimate of KL(policy || reference), nats. */
  kl: number;
  /** Share of tokens held at the lower bound (negative advantage; never in CISPO). */
  clipFractionLow: number;
  /** Share of tokens held at the upper bound (positive advantage; in CISPO any). */
  clipFractionHigh: number;
  /** Probability ratio to the policy before the step, or to the one that sampled where the loss is not decoupled. */
  ratioMean: number;
  /** Nats. */
  entropy: number;
  /** k3 estimate of KL(server || trainer) over what the server sampled, nats; 0 when both compute the same. */
  mismatchKl: number;
  /** Mean of |trainer's - server's logprob|, nats. */
  mismatchAbs: number;
  /** Importance weight against mismatch, after the cap or mask. */
  mismatchWeight: number;
  /** Share of tokens whose weight was capped or masked. */
  mismatchTruncated: number;
  ratioMax: number;
  mismatchMax: number;
}

interface Token {
  /** Weight in the loss. */
  readonly share: number;
  /** 1 / tokens of the whole batch: weight in everything else. */
  readonly tokenShare: number;
  readonly policyLoss: number;
  readonly kl: number;
  readonly klCoef: number;
  readonly ratio: number;
  /** -1 at the lower bound, 1 at the upper one, else 0. */
  readonly clipped: number;
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
  const { share, tokenShare } = token;
  metrics.policyLoss += share * token.policyLoss;
  metrics.klLoss += share * token.klCoef * token.kl;
  metrics.kl += tokenShare * token.kl;
  metrics.clipFractionLow += token.clipped < 0 ? tokenShare : 0;
  metrics.clipFractionHigh += token.clipped > 0 ? tokenShare : 0;
  metrics.ratioMean += tokenShare * token.ratio;
  metrics.entropy += tokenShare * token.entropy;
  metrics.mismatchKl += tokenShare * (Math.exp(token.mismatch) - token.mismatch - 1);
  metrics.mismatchAbs += tokenShare * Math.abs(token.mismatch);
  metrics.mismatchWeight += tokenShare * token.weight;
  metrics.mismatchTruncated += token.truncated ? tokenShare : 0;
  metrics.ratioMax = Math.max(metrics.ratioMax, token.ratio);
  metrics.mismatchMax = Math.max(metrics.mismatchMax, Math.abs(token.mismatch));
}

/** The metrics of a batch from those of its parts, which were all computed with the batch's shares and `totalTokens`. */
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

/** The metrics of a step from those of its updates; the extremes are the largest of all. */
export function meanGrpoMetrics(updates: readonly GrpoMetrics[]): GrpoMetrics {
  const mean = sumGrpoMetrics(updates);
  for (const key of Object.keys(mean) as (keyof GrpoMetrics)[]) {
    if (key !== 'ratioMax' && key !== 'mismatchMax') mean[key] /= updates.length;
  }
  return mean;
}

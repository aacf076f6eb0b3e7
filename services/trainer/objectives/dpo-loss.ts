export type DpoLossType = 'sigmoid' | 'ipo' | 'hinge';

/** One preference pair: logprobs summed over the tokens of each completion, of the policy and of the reference. */
export interface DpoPair {
  readonly chosen: number;
  readonly rejected: number;
  readonly referenceChosen: number;
  readonly referenceRejected: number;
  readonly chosenTokens: number;
  readonly rejectedTokens: number;
}

export interface DpoOptions {
  readonly lossType: DpoLossType;
  /** Strength of the implicit KL constraint; IPO's tau. */
  readonly beta: number;
  /** Pairs of the whole batch; losses, gradients and metrics of its parts then add up. */
  readonly totalPairs: number;
}

/** Means over the pairs of the whole batch. */
export interface DpoMetrics {
  /** Share of pairs whose chosen completion has the higher implicit reward; a tie is none. */
  accuracy: number;
  /** `chosenReward - rejectedReward`. */
  rewardMargin: number;
  /** `beta` times the logprob ratio to the reference. */
  chosenReward: number;
  rejectedReward: number;
  /** Summed over a completion's tokens, nats. */
  chosenLogprob: number;
  rejectedLogprob: number;
}

export interface DpoLoss {
  /** To be minimised. */
  readonly loss: number;
  /** Per pair: d loss / d `chosen`, which is that of each of its tokens, and d loss / d `rejected`. */
  readonly gradients: readonly { readonly chosen: number; readonly rejected: number }[];
  /** Implicit reward margin of each pair. */
  readonly margins: readonly number[];
  readonly metrics: DpoMetrics;
}

/**
 * Direct preference optimisation, a mean over pairs. With `x = log pi(chosen)/ref(chosen)`, `y` the same of the rejected one:
 *
 * - `sigmoid`: `-log sigmoid(beta (x - y))` (Rafailov et al., arXiv:2305.18290, eq. 7)
 * - `hinge`: `max(0, 1 - beta (x - y))` (SLiC, Zhao et al., arXiv:2305.10425; as a loss of preference pairs: RSO, arXiv:2309.06657)
 * - `ipo`: `(x/|chosen| - y/|rejected| - 1/(2 beta))^2` (Azar et al., arXiv:2310.12036, eq. 17). The paper writes sums. They would let the target
 *   `1/(2 beta)` mean less the longer completions are; its authors confirmed to TRL that their results are of means over tokens, and so it is
 *   here.
 *
 * Sign: to be minimised; the gradient raises chosen and lowers rejected. Normaliser: `totalPairs`.
 *
 * @throws RangeError when `totalPairs` is below the pairs given.
 */
export function dpoLoss(pairs: readonly DpoPair[], options: DpoOptions): DpoLoss {
  const { lossType, beta, totalPairs } = options;
  if (!(totalPairs >= Math.max(1, pairs.length))) {
    throw new RangeError(
      `totalPairs is ${totalPairs}; it counts the pairs of the whole batch, here at least ${Math.max(1, pairs.length)}`,
    );
  }
  let loss = 0;
  const metrics = emptyDpoMetrics();
  const margins: number[] = [];
  const gradients = pairs.map((pair) => {
    const x = pair.chosen - pair.referenceChosen;
    const y = pair.rejected - pair.referenceRejected;
    const term = terms[lossType](x, y, beta, pair);
    loss += term.loss / totalPairs;
    margins.push(beta * (x - y));
    add(metrics, {
      accuracy: x > y ? 1 : 0,
      rewardMargin: beta * (x - y),
      chosenReward: beta * x,
      rejectedReward: beta * y,
      chosenLogprob: pair.chosen,
      rejectedLogprob: pair.rejected,
    });
    return { chosen: term.chosen / totalPairs, rejected: term.rejected / totalPairs };
  });
  for (const key of metricNames) metrics[key] /= totalPairs;
  return { loss, gradients, margins, metrics };
}

/** The metrics of a batch from those of its parts, which were all computed with the batch's `totalPairs`. */
export function sumDpoMetrics(parts: readonly DpoMetrics[]): DpoMetrics {
  const total = emptyDpoMetrics();
  for (const part of parts) add(total, part);
  return total;
}

type Term = (
  x: number,
  y: number,
  beta: number,
  pair: DpoPair,
) => { readonly loss: number; readonly chosen: number; readonly rejected: number };

const terms: Readonly<Record<DpoLossType, Term>> = {
  sigmoid(x, y, beta) {
    const margin = beta * (x - y);
    // log(1 + exp(-margin)), without overflow for pairs that are far apart.
    const loss = Math.log1p(Math.exp(-Math.abs(margin))) + Math.max(0, -margin);
    const slope = beta / (1 + Math.exp(margin));
    return { loss, chosen: -slope, rejected: slope };
  },
  hinge(x, y, beta) {
    const short = 1 - beta * (x - y);
    const slope = short > 0 ? beta : 0;
    return { loss: Math.max(0, short), chosen: -slope, rejected: slope };
  },
  ipo(x, y, beta, { chosenTokens, rejectedTokens }) {
    const [chosenLength, rejectedLength] = [Math.max(1, chosenTokens), Math.max(1, rejectedTokens)];
    const away = x / chosenLength - y / rejectedLength - 1 / (2 * beta);
    return { loss: away ** 2, chosen: (2 * away) / chosenLength, rejected: (-2 * away) / rejectedLength };
  },
};

function emptyDpoMetrics(): DpoMetrics {
  return { accuracy: 0, rewardMargin: 0, chosenReward: 0, rejectedReward: 0, chosenLogprob: 0, rejectedLogprob: 0 };
}

const metricNames = Object.keys(emptyDpoMetrics()) as (keyof DpoMetrics)[];

function add(total: DpoMetrics, part: DpoMetrics): void {
  for (const key of metricNames) total[key] += part[key];
}

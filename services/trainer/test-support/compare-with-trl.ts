import { type DpoLossType, type DpoPair, dpoLoss } from '../objectives/dpo-loss.ts';
import { grpoLoss } from '../objectives/grpo-loss.ts';
import type { GrpoLossType } from '../objectives/grpo-rules.ts';
import type { MismatchCorrection } from '../objectives/mismatch-weights.ts';
import { tokenShares } from '../objectives/token-shares.ts';

/** What `test/golden/trl/make_golden.py` writes. */
export interface TrlGolden {
  readonly versions: Readonly<Record<string, string>>;
  readonly grpo: {
    readonly lengths: readonly number[];
    readonly maxNewTokens: number;
    readonly tokens: Readonly<
      Record<'logprobs' | 'oldLogprobs' | 'rolloutLogprobs' | 'referenceLogprobs' | 'advantages', readonly number[]>
    >;
    readonly cases: readonly GrpoCase[];
  };
  readonly dpo: { readonly pairs: readonly DpoPair[]; readonly cases: readonly DpoCase[] };
}

export interface GrpoCase {
  readonly loss_type: GrpoLossType;
  readonly low: number;
  readonly high: number;
  readonly correction: MismatchCorrection;
  readonly cap: number;
  readonly kl: number;
  readonly loss: number;
  readonly grad: readonly number[];
  readonly kl_mean: number | null;
  readonly clip_low: number | null;
  readonly clip_high: number | null;
}

export interface DpoCase {
  readonly loss_type: DpoLossType;
  readonly beta: number;
  readonly loss: number;
  readonly gradients: readonly { readonly chosen: number; readonly rejected: number }[];
  readonly accuracy: number;
  readonly rewardMargin: number;
  readonly chosenReward: number;
  readonly rejectedReward: number;
}

/** Values of ours and of TRL's side by side, by name. */
export type Compared = Readonly<Record<string, readonly [ours: number, theirs: number]>>;

export function compareGrpo({ grpo }: TrlGolden, given: GrpoCase): Compared {
  const { lengths, maxNewTokens } = grpo;
  const of = (name: keyof typeof grpo.tokens) => Float32Array.from(grpo.tokens[name]);
  const sizes = lengths.map((tokens) => ({ tokens, part: 0 }));
  const { loss, gradLogprobs, metrics } = grpoLoss(
    {
      lengths,
      shares: tokenShares(given.loss_type, sizes, maxNewTokens),
      logprobs: of('logprobs'),
      oldLogprobs: of('oldLogprobs'),
      rolloutLogprobs: of('rolloutLogprobs'),
      referenceLogprobs: of('referenceLogprobs'),
      advantages: of('advantages'),
      entropies: null,
    },
    {
      lossType: given.loss_type,
      clip: { low: given.low, high: given.high },
      klCoef: given.kl,
      decoupled: true,
      mismatch: { correction: given.correction, cap: given.cap },
      totalTokens: lengths.reduce((sum, tokens) => sum + tokens, 0),
    },
  );
  const known = (name: string, ours: number, theirs: number | null) =>
    theirs === null ? {} : { [name]: [ours, theirs] as const };
  return {
    loss: [loss, given.loss],
    ...Object.fromEntries(given.grad.map((theirs, t) => [`grad ${t}`, [gradLogprobs[t]!, theirs] as const])),
    ...known('kl', metrics.kl, given.kl_mean),
    ...known('clipped low', metrics.clipFractionLow, given.clip_low),
    ...known('clipped high', metrics.clipFractionHigh, given.clip_high),
  };
}

export function compareDpo({ dpo }: TrlGolden, given: DpoCase): Compared {
  const { loss, gradients, metrics } = dpoLoss(dpo.pairs, {
    lossType: given.loss_type,
    beta: given.beta,
    totalPairs: dpo.pairs.length,
  });
  const pairs = given.gradients.flatMap((theirs, i) => [
    [`chosen ${i}`, [gradients[i]!.chosen, theirs.chosen] as const],
    [`rejected ${i}`, [gradients[i]!.rejected, theirs.rejected] as const],
  ]);
  return {
    loss: [loss, given.loss],
    ...Object.fromEntries(pairs),
    accuracy: [metrics.accuracy, given.accuracy],
    rewardMargin: [metrics.rewardMargin, given.rewardMargin],
    chosenReward: [metrics.chosenReward, given.chosenReward],
    rejectedReward: [metrics.rejectedReward, given.rejectedReward],
  };
}

/** The largest difference of all values. */
export function largestDifference(compared: Compared): number {
  return Math.max(...Object.values(compared).map(([ours, theirs]) => Math.abs(ours - theirs)));
}

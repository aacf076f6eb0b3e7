import { setImmediate as turn } from 'node:timers/promises';
import type { PreferenceExample } from '../data/readers/preference-reader.ts';
import type { Learner } from '../learner/learner.ts';
import type { MicroBatchLimits } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { pairBatches, pairsOf } from '../learner/preference-pairs.ts';
import { referenceLogprobs } from '../learner/reference-logprobs.ts';
import { type DpoLoss, type DpoMetrics, type DpoOptions, dpoLoss, sumDpoMetrics } from '../objectives/dpo-loss.ts';

/** Forward and backward of one optimizer step; given up between batches when the signal says so. */
export async function gatherDpoGradients(params: {
  readonly learner: Learner;
  readonly policy: Pick<Policy, 'referenceLogprobs'>;
  readonly batch: readonly PreferenceExample[];
  readonly limits: MicroBatchLimits;
  readonly options: DpoOptions;
  readonly step: number;
  readonly signal: AbortSignal;
  readonly alive: () => void;
}): Promise<{ loss: number; metrics: DpoMetrics; entropy: number; tokens: number }> {
  const { learner, policy, batch, limits, options, step, signal, alive } = params;
  const parts: DpoLoss[] = [];
  let [entropy, tokens] = [0, 0];
  for (const part of pairBatches(batch, limits)) {
    signal.throwIfAborted();
    const reference = referenceLogprobs(policy, part, 1);
    const objective = (logprobs: Float32Array, entropies: Float32Array) => {
      entropy += entropies.reduce((sum, value) => sum + value, 0);
      const found = dpoLoss(pairsOf(part, logprobs, reference), options);
      return { ...found, gradLogprobs: perToken(part.sequences, found) };
    };
    parts.push(learner.accumulate(part, objective, { temperature: 1, step }));
    tokens += part.completionTokens;
    alive();
    // Heartbeats, records and the checkpoint being written get their turn.
    await turn();
  }
  return {
    loss: parts.reduce((sum, { loss }) => sum + loss, 0),
    metrics: sumDpoMetrics(parts.map(({ metrics }) => metrics)),
    entropy: tokens === 0 ? 0 : entropy / tokens,
    tokens,
  };
}

/** The loss sees a completion by the sum of its logprobs, so all its tokens have the same gradient. */
function perToken(
  sequences: readonly { readonly completion: readonly number[] }[],
  { gradients }: Pick<DpoLoss, 'gradients'>,
): Float32Array {
  return Float32Array.from(
    sequences.flatMap(({ completion }, i) => {
      const { chosen, rejected } = gradients[Math.floor(i / 2)]!;
      return new Array<number>(completion.length).fill(i % 2 === 0 ? chosen : rejected);
    }),
  );
}

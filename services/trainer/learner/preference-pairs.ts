import type { PreferenceExample } from '../data/readers/preference-reader.ts';
import type { DpoPair } from '../objectives/dpo-loss.ts';
import { type MicroBatch, type MicroBatchLimits, microBatches, type Sequence } from './micro-batches.ts';

/** Micro-batches of pairs: each has the chosen completion and then the rejected one of every pair, so that one pass computes both. */
export function pairBatches(
  examples: readonly PreferenceExample[],
  limits: MicroBatchLimits,
): readonly MicroBatch<Sequence>[] {
  const sequences = examples.flatMap(({ prompt, chosen, rejected }) => [
    { prompt, completion: chosen },
    { prompt, completion: rejected },
  ]);
  return microBatches(sequences, limits, 2);
}

/** The pairs of a micro-batch, from the logprobs of its completion tokens. */
export function pairsOf(
  { sequences }: MicroBatch<Sequence>,
  logprobs: Float32Array,
  reference: Float32Array,
): readonly DpoPair[] {
  const pairs: DpoPair[] = [];
  let at = 0;
  const next = (tokens: number) => {
    const sums = { policy: sum(logprobs, at, at + tokens), reference: sum(reference, at, at + tokens) };
    at += tokens;
    return sums;
  };
  for (let i = 0; i < sequences.length; i += 2) {
    const [chosenTokens, rejectedTokens] = [sequences[i]!.completion.length, sequences[i + 1]!.completion.length];
    const chosen = next(chosenTokens);
    const rejected = next(rejectedTokens);
    pairs.push({
      ...{ chosen: chosen.policy, referenceChosen: chosen.reference, chosenTokens },
      ...{ rejected: rejected.policy, referenceRejected: rejected.reference, rejectedTokens },
    });
  }
  return pairs;
}

function sum(values: Float32Array, from: number, to: number): number {
  let total = 0;
  for (let i = from; i < to; i++) total += values[i]!;
  return total;
}

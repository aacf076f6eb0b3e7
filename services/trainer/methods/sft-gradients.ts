import { setImmediate as turn } from 'node:timers/promises';
import type { Learner } from '../learner/learner.ts';
import { type MicroBatchLimits, microBatches, type Sequence } from '../learner/micro-batches.ts';
import { sftLoss } from '../objectives/sft-loss.ts';

/** The prompt as a part of what is learned. Its first token is predicted by nothing. */
export function withPrompt({ prompt, completion }: Sequence): Sequence {
  return { prompt: prompt.slice(0, 1), completion: [...prompt.slice(1), ...completion] };
}

/**
 * Forward and backward of one optimizer step; given up between micro-batches when the signal says so.
 * @returns loss and entropy in nats, as means over the step's completion tokens.
 */
export async function gatherSftGradients(params: {
  readonly learner: Pick<Learner, 'accumulate'>;
  readonly batch: readonly Sequence[];
  readonly limits: MicroBatchLimits;
  /** Counter of the dropout's random numbers. */
  readonly step: number;
  readonly signal: AbortSignal;
  /** Called after each micro-batch. */
  readonly alive: () => void;
}): Promise<{ readonly loss: number; readonly entropy: number; readonly tokens: number }> {
  const { learner, batch, limits, step, signal, alive } = params;
  const tokens = batch.reduce((sum, { completion }) => sum + completion.length, 0);
  let [loss, entropy] = [0, 0];
  for (const part of microBatches(batch, limits)) {
    signal.throwIfAborted();
    const value = learner.accumulate(
      part,
      (logprobs, entropies) => {
        entropy += entropies.reduce((sum, value) => sum + value, 0) / tokens;
        return sftLoss(logprobs, tokens);
      },
      { temperature: 1, step },
    );
    loss += value.loss;
    alive();
    // Heartbeats, records and the checkpoint being written get their turn.
    await turn();
  }
  return { loss, entropy, tokens };
}

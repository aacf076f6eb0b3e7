import { setImmediate as turn } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { completionRows } from '../learner/completion-rows.ts';
import type { Learner } from '../learner/learner.ts';
import { type MicroBatch, type MicroBatchLimits, microBatches } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { type GrpoLoss, grpoLoss } from '../objectives/grpo-loss.ts';
import { type GrpoMetrics, sumGrpoMetrics } from '../objectives/grpo-metrics.ts';
import type { GrpoBatch, GrpoSequence } from './grpo-batch.ts';

/**
 * Forward and backward of one optimizer step; given up between micro-batches when the signal says so.
 *
 * The logprobs before the update are those of this very forward pass, since a batch is used for one update: the ratio is 1, and what
 * the server reported serves to correct for where it differs from the trainer.
 */
export async function gatherGrpoGradients(params: {
  readonly learner: Learner;
  readonly policy: Pick<Policy, 'referenceLogprobs'>;
  readonly batch: GrpoBatch;
  readonly limits: MicroBatchLimits;
  readonly options: RunSpec['grpo'];
  readonly temperature: number;
  readonly step: number;
  readonly signal: AbortSignal;
  /** Called after each micro-batch. */
  readonly alive: () => void;
}): Promise<{ readonly loss: number; readonly metrics: GrpoMetrics }> {
  const { learner, policy, batch, options, step, signal } = params;
  // Greedy rollouts report logprobs of the unscaled distribution; the trainer's must be of the same.
  const temperature = params.temperature === 0 ? 1 : params.temperature;
  const parts: GrpoLoss[] = [];
  for (const part of microBatches(batch.sequences, params.limits)) {
    signal.throwIfAborted();
    const constants = perToken(part);
    const referenceLogprobs = options.kl_coef > 0 ? referenceOf(policy, part, temperature) : null;
    const objective = (logprobs: Float32Array, entropies: Float32Array) =>
      grpoLoss(
        { logprobs, oldLogprobs: logprobs, referenceLogprobs, entropies, ...constants },
        {
          epsilonLow: options.epsilon_low,
          epsilonHigh: options.epsilon_high,
          klCoef: options.kl_coef,
          mismatchCap: options.mismatch_correction === 'tis' ? options.mismatch_cap : null,
          totalTokens: batch.trainableTokens,
        },
      );
    parts.push(learner.accumulate(part, objective, { temperature, step }));
    params.alive();
    // Heartbeats, records and the checkpoint being written get their turn.
    await turn();
  }
  const loss = parts.reduce((sum, part) => sum + part.loss, 0);
  return { loss, metrics: sumGrpoMetrics(parts.map(({ metrics }) => metrics)) };
}

function perToken({ sequences, completionTokens }: MicroBatch<GrpoSequence>) {
  const advantages = new Float32Array(completionTokens);
  const rolloutLogprobs = new Float32Array(completionTokens);
  let at = 0;
  for (const sequence of sequences) {
    advantages.fill(sequence.advantage, at, at + sequence.completion.length);
    rolloutLogprobs.set(sequence.rolloutLogprobs, at);
    at += sequence.completion.length;
  }
  return { advantages, rolloutLogprobs };
}

function referenceOf(
  policy: Pick<Policy, 'referenceLogprobs'>,
  { sequences }: MicroBatch<GrpoSequence>,
  temperature: number,
): Float32Array {
  const input = completionRows(sequences);
  return tf.tidy(() => policy.referenceLogprobs(input, temperature).dataSync() as Float32Array);
}

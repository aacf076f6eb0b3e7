import type { RunSpec } from '../../contracts/run-spec.ts';
import type { Learner } from '../learner/learner.ts';
import { type MicroBatch, type MicroBatchLimits, microBatches } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { referenceLogprobs as referenceOf } from '../learner/reference-logprobs.ts';
import { type GrpoLoss, type GrpoOptions, grpoLoss } from '../objectives/grpo-loss.ts';
import { type GrpoMetrics, sumGrpoMetrics } from '../objectives/grpo-metrics.ts';
import { clipRange } from '../objectives/grpo-rules.ts';
import type { GrpoBatch, GrpoSequence } from './grpo-batch.ts';

/**
 * Forward and backward of one update; given up between micro-batches when the signal says so.
 *
 * At the first update of a step the logprobs before it are those of this very forward pass: the ratio is 1, and what the server reported
 * serves to correct for where it differs from the trainer. They are returned, for the further updates of the step.
 */
export async function gatherGrpoGradients(params: {
  readonly learner: Learner;
  readonly policy: Pick<Policy, 'referenceLogprobs'>;
  readonly batch: GrpoBatch;
  /** Of each token before the step's first update; null at that one. */
  readonly oldLogprobs: Float32Array | null;
  readonly limits: MicroBatchLimits;
  readonly options: RunSpec['grpo'];
  readonly temperature: number;
  /** Counter of the dropout's random numbers. */
  readonly update: number;
  readonly signal: AbortSignal;
  /** Called after each micro-batch. */
  readonly alive: () => void;
  /** Waited for before each micro-batch: while one is computed nothing else moves, neither heartbeats nor records, nor rollouts that go on beside it. */
  readonly turn: () => Promise<void>;
}): Promise<{ readonly loss: number; readonly metrics: GrpoMetrics; readonly logprobs: Float32Array }> {
  const { learner, policy, batch, options, signal } = params;
  // Greedy rollouts report logprobs of the unscaled distribution; the trainer's must be of the same.
  const temperature = params.temperature === 0 ? 1 : params.temperature;
  const grpoOptions: GrpoOptions = {
    lossType: options.loss_type,
    clip: clipRange(options.loss_type, options.epsilon_low, options.epsilon_high),
    klCoef: options.kl_coef,
    decoupled: options.use_decoupled_loss,
    mismatch: { correction: options.mismatch_correction, cap: options.mismatch_cap },
    totalTokens: batch.trainableTokens,
  };
  const before = new Float32Array(batch.trainableTokens);
  const parts: GrpoLoss[] = [];
  for (const part of microBatches(batch.sequences, params.limits)) {
    await params.turn();
    signal.throwIfAborted();
    const constants = perToken(part);
    const referenceLogprobs = options.kl_coef > 0 ? referenceOf(policy, part, temperature) : null;
    const old = params.oldLogprobs?.subarray(part.firstToken, part.firstToken + part.completionTokens);
    const objective = (logprobs: Float32Array, entropies: Float32Array) => {
      before.set(logprobs, part.firstToken);
      const oldLogprobs = old ?? logprobs;
      return grpoLoss({ logprobs, oldLogprobs, referenceLogprobs, entropies, ...constants }, grpoOptions);
    };
    parts.push(learner.accumulate(part, objective, { temperature, step: params.update }));
    params.alive();
  }
  const loss = parts.reduce((sum, part) => sum + part.loss, 0);
  return { loss, metrics: sumGrpoMetrics(parts.map(({ metrics }) => metrics)), logprobs: before };
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
  const lengths = sequences.map(({ completion }) => completion.length);
  const shares = Float64Array.from(sequences, ({ share }) => share);
  return { lengths, shares, advantages, rolloutLogprobs };
}

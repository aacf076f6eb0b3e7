import type { RunSpec } from '../../contracts/run-spec.ts';
import { type Learner, requireFinite } from '../learner/learner.ts';
import type { MicroBatchLimits } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { type GrpoMetrics, meanGrpoMetrics } from '../objectives/grpo-metrics.ts';
import { statisticsOf } from '../statistics.ts';
import type { GrpoBatch } from './grpo-batch.ts';
import { gatherGrpoGradients } from './grpo-gradients.ts';

const UNSTOPPED = new AbortController().signal;

/**
 * The updates of one step, `grpo.num_iterations` of them, each from the whole batch. The signal is heard until the first one is made: then the
 * weights are those of no step, and half of a step could not be resumed.
 *
 * @param batch with at least one trainable token
 * @returns means over the updates
 * @throws TrainerError `nan_loss`
 */
export async function updatePolicy(params: {
  readonly learner: Learner;
  readonly policy: Pick<Policy, 'referenceLogprobs'>;
  readonly batch: GrpoBatch;
  readonly limits: MicroBatchLimits;
  readonly grpo: RunSpec['grpo'];
  readonly temperature: number;
  readonly step: number;
  /** Of the policy before the step: 0 as long as nothing was learned. */
  readonly version: number;
  readonly learningRate: number;
  readonly signal: AbortSignal;
  readonly alive: () => void;
  readonly turn: () => Promise<void>;
  /** Called right before the weights change. */
  readonly changing: () => void;
}): Promise<{ readonly loss: number; readonly objective: GrpoMetrics; readonly gradNorm: number }> {
  const { grpo, step, version, learner, learningRate, signal, changing, ...rest } = params;
  const losses: number[] = [];
  const gradNorms: number[] = [];
  const metrics: GrpoMetrics[] = [];
  let oldLogprobs: Float32Array | null = null;
  for (let iteration = 0; iteration < grpo.num_iterations; iteration++) {
    const gathered = await gatherGrpoGradients({
      ...rest,
      learner,
      oldLogprobs,
      options: grpo,
      update: (step - 1) * grpo.num_iterations + iteration + 1,
      signal: iteration === 0 ? signal : UNSTOPPED,
    });
    oldLogprobs ??= gathered.logprobs;
    requireFinite(gathered.loss, step, version + iteration);
    losses.push(gathered.loss);
    metrics.push(gathered.metrics);
    changing();
    gradNorms.push(learner.update(learningRate));
  }
  return {
    loss: statisticsOf(losses).mean,
    objective: meanGrpoMetrics(metrics),
    gradNorm: statisticsOf(gradNorms).mean,
  };
}

import { setImmediate as turn } from 'node:timers/promises';
import type { RunSpec } from '../../contracts/run-spec.ts';
import * as tf from '../../model/tf.ts';
import { type ExampleSource, inParts } from '../data/example-source.ts';
import type { PreferenceExample } from '../data/readers/preference-reader.ts';
import { completionRows } from '../learner/completion-rows.ts';
import type { MicroBatchLimits } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { pairBatches, pairsOf } from '../learner/preference-pairs.ts';
import { referenceLogprobs } from '../learner/reference-logprobs.ts';
import { preferenceEvaluationMetrics } from '../metrics.ts';
import { dpoLoss } from '../objectives/dpo-loss.ts';
import { statisticsOf } from '../statistics.ts';
import type { EvaluationResult, Evaluator } from './evaluation-books.ts';

/**
 * Evaluates on preference pairs: the loss of the method, and how many pairs the policy has in order, which is so when its implicit reward of
 * the chosen completion is the higher one. The reward of a pair is its margin. Before training policy and reference are the same: all margins
 * are 0, and no pair is in order.
 */
export function createPreferenceAccuracy(params: {
  readonly policy: Policy;
  readonly pairs: ExampleSource<PreferenceExample>;
  readonly limits: MicroBatchLimits;
  readonly dpo: RunSpec['dpo'];
  /** Called after each part, with the number of its pairs. */
  readonly alive: (problems: number) => void;
}): Evaluator {
  const { policy, pairs, limits, dpo, alive } = params;
  const options = { lossType: dpo.loss_type, beta: dpo.beta, totalPairs: pairs.size };

  async function evaluate(signal: AbortSignal): Promise<EvaluationResult> {
    let loss = 0;
    const margins: number[] = [];
    for await (const examples of inParts(pairs)) {
      for (const batch of pairBatches(examples, limits)) {
        signal.throwIfAborted();
        const input = completionRows(batch.sequences);
        const logprobs = tf.tidy(() => policy.tokenLogprobs(input, 1).logprobs.dataSync() as Float32Array);
        const found = dpoLoss(pairsOf(batch, logprobs, referenceLogprobs(policy, batch, 1)), options);
        loss += found.loss;
        margins.push(...found.margins);
        alive(found.margins.length);
        await turn();
      }
    }
    const correct = margins.filter((margin) => margin > 0).length;
    const rewards = statisticsOf(margins);
    return {
      accuracy: correct / margins.length,
      correct_answers: correct,
      total_samples: margins.length,
      avg_reward: rewards.mean,
      median_reward: rewards.median,
      std_reward: rewards.std,
      min_reward: rewards.min,
      max_reward: rewards.max,
      eval_loss: loss,
      reward_margin: rewards.mean,
    };
  }

  return { evaluate, metrics: preferenceEvaluationMetrics };
}

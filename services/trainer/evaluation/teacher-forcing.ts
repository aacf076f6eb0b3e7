import { setImmediate as turn } from 'node:timers/promises';
import { rowStatistics } from '../../model/kernels/token-logprobs.ts';
import { type ExampleSource, inParts } from '../data/example-source.ts';
import type { CompletionExample } from '../data/readers/completion-reader.ts';
import { completionRows } from '../learner/completion-rows.ts';
import { type MicroBatch, type MicroBatchLimits, microBatches } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { lossEvaluationMetrics } from '../metrics.ts';
import { statisticsOf } from '../statistics.ts';
import type { EvaluationResult, Evaluator } from './evaluation-books.ts';

/**
 * Evaluates on reference completions with one forward pass: the loss per completion token, and how many problems a greedy decode would
 * answer with exactly the reference, which is so if and only if the reference's token is the likeliest at every position.
 * A right answer counts as reward 1.
 */
export function createTeacherForcing(params: {
  readonly policy: Policy;
  readonly examples: ExampleSource<CompletionExample>;
  readonly limits: MicroBatchLimits;
  /** Called after each part, with the number of its problems. */
  readonly alive: (problems: number) => void;
}): Evaluator {
  const { policy, examples, limits, alive } = params;

  async function evaluate(signal: AbortSignal): Promise<EvaluationResult> {
    let negativeLogprob = 0;
    let tokens = 0;
    const rewards: number[] = [];
    for await (const part of inParts(examples)) {
      for (const batch of microBatches(part, limits)) {
        signal.throwIfAborted();
        const measured = measure(policy, batch);
        negativeLogprob += measured.negativeLogprob;
        tokens += batch.completionTokens;
        rewards.push(...measured.correct.map(Number));
        alive(batch.sequences.length);
        await turn();
      }
    }
    const correct = rewards.filter((reward) => reward === 1).length;
    const rewardStatistics = statisticsOf(rewards);
    return {
      accuracy: correct / rewards.length,
      correct_answers: correct,
      total_samples: rewards.length,
      avg_reward: rewardStatistics.mean,
      median_reward: rewardStatistics.median,
      std_reward: rewardStatistics.std,
      min_reward: rewardStatistics.min,
      max_reward: rewardStatistics.max,
      eval_loss: negativeLogprob / tokens,
    };
  }

  return { evaluate, metrics: lossEvaluationMetrics };
}

function measure(
  policy: Policy,
  batch: MicroBatch<CompletionExample>,
): { negativeLogprob: number; correct: boolean[] } {
  const input = completionRows(batch.sequences);
  const right = new Uint8Array(input.targets.length);
  let negativeLogprob = 0;
  policy.readLogits(input, (logits, first, count) => {
    const vocabulary = logits.length / count;
    for (let row = 0; row < count; row++) {
      const target = input.targets[first + row]!;
      negativeLogprob -= rowStatistics(logits, row * vocabulary, vocabulary, target, 1).logprob;
      right[first + row] = Number(likeliest(logits, row * vocabulary, vocabulary) === target);
    }
  });
  let at = 0;
  const correct = batch.sequences.map(({ completion }) => {
    at += completion.length;
    return right.subarray(at - completion.length, at).every((value) => value === 1);
  });
  return { negativeLogprob, correct };
}

/** Ties go to the lowest id, as greedy decoding has them. */
function likeliest(logits: Float32Array, at: number, vocabulary: number): number {
  let best = 0;
  for (let i = 1; i < vocabulary; i++) if (logits[at + i]! > logits[at + best]!) best = i;
  return best;
}

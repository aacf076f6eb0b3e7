import type { PromptExample } from '../data/tokenize.ts';
import { rewardEvaluationMetrics } from '../metrics.ts';
import { collectRollouts, type Environment } from '../rollout/collect-rollouts.ts';
import { statisticsOf } from '../statistics.ts';
import type { Evaluator } from './evaluation-books.ts';

/**
 * Evaluates by playing every problem once with the current policy.
 * @param environment one that decodes greedily
 */
export function createGreedyRollouts(params: {
  readonly environment: Environment;
  readonly problems: readonly PromptExample[];
  readonly concurrency: number;
  readonly seed: number;
  /** Called after each problem, with 1. */
  readonly alive: (problems: number) => void;
}): Evaluator {
  const { environment, problems, concurrency, seed, alive } = params;
  return {
    async evaluate(signal) {
      const purpose = ['evaluation'];
      const groups = await collectRollouts({
        environment,
        tasks: problems,
        rollouts: 1,
        concurrency,
        seed,
        purpose,
        signal,
        onGroup: () => alive(1),
      });
      const rollouts = groups.flatMap((group) => group.rollouts);
      const correct = rollouts.filter(({ success }) => success).length;
      const rewards = statisticsOf(rollouts.map(({ reward }) => reward));
      return {
        accuracy: correct / rollouts.length,
        correct_answers: correct,
        total_samples: rollouts.length,
        attempted_answer: rollouts.filter(({ text }) => text.trim() !== '').length,
        avg_reward: rewards.mean,
        median_reward: rewards.median,
        std_reward: rewards.std,
        min_reward: rewards.min,
        max_reward: rewards.max,
        avg_turns: statisticsOf(rollouts.map(({ turns }) => turns)).mean,
      };
    },
    metrics: rewardEvaluationMetrics,
  };
}

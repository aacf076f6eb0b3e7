import { type ExampleSource, inParts } from '../data/example-source.ts';
import type { PromptExample } from '../data/readers/prompt-reader.ts';
import { rewardEvaluationMetrics } from '../metrics.ts';
import {
  collectRollouts,
  type Environment,
  type Rollout,
  type RolloutGroup,
  requireScored,
} from '../rollout/collect-rollouts.ts';
import { statisticsOf } from '../statistics.ts';
import type { Evaluator } from './evaluation-books.ts';

/**
 * Evaluates by playing every problem once with the current policy. Problems that a reward could not score, and may skip, do not count.
 * @param environment one that decodes greedily
 */
export function createGreedyRollouts(params: {
  readonly environment: Environment;
  readonly problems: ExampleSource<PromptExample>;
  readonly concurrency: number;
  readonly seed: number;
  /** Called after each problem, with 1. */
  readonly alive: (problems: number) => void;
}): Evaluator {
  const { environment, problems, concurrency, seed, alive } = params;
  return {
    async evaluate(signal) {
      const played: PlayedGroup[] = [];
      let firstTask = 0;
      for await (const tasks of inParts(problems)) {
        const play = { environment, tasks, firstTask, rollouts: 1, concurrency, seed, signal };
        const groups = await collectRollouts({ ...play, purpose: ['evaluation'], onGroup: () => alive(1) });
        played.push(...groups.map(({ rollouts, skipped }) => ({ rollouts: rollouts.map(brief), skipped })));
        firstTask += tasks.length;
      }
      // Not before the end: a part may be as small as one problem.
      const rollouts = requireScored(played).flatMap((group) => group.rollouts);
      const correct = rollouts.filter(({ success }) => success).length;
      const rewards = statisticsOf(rollouts.map(({ reward }) => reward));
      return {
        accuracy: correct / rollouts.length,
        correct_answers: correct,
        total_samples: rollouts.length,
        attempted_answer: rollouts.filter(({ attempted }) => attempted).length,
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

/** What an evaluation keeps of a rollout: there may be many. */
interface Played extends Pick<Rollout, 'success' | 'reward' | 'turns'> {
  readonly attempted: boolean;
}

interface PlayedGroup extends Pick<RolloutGroup, 'skipped'> {
  readonly rollouts: readonly Played[];
}

function brief({ success, reward, turns, text }: Rollout): Played {
  return { success, reward, turns, attempted: text.trim() !== '' };
}

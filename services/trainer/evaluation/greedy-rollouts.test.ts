import { expect, test } from 'vitest';
import type { ExampleSource } from '../data/example-source.ts';
import type { PromptExample } from '../data/readers/prompt-reader.ts';
import { TrainerError } from '../failure.ts';
import type { Environment } from '../rollout/collect-rollouts.ts';
import { TaskSkipped } from '../rollout/rewards/reward.ts';
import { createGreedyRollouts } from './greedy-rollouts.ts';

const problems: ExampleSource<PromptExample> = {
  size: 513,
  sha256: '',
  take: async (indices) =>
    Array.from(indices, (i) => ({ id: `t${i}`, prompt: [i], messages: 1, source: '', answer: '', columns: {} })),
};

/** Every problem is solved, but for those that cannot be scored. */
function evaluate(skips: (problem: number) => boolean) {
  const right = { completion: [1], logprobs: [0], text: 'x', truncated: false, rewards: {}, messages: 2, version: 0 };
  const environment: Environment = {
    async play({ prompt: [problem] }) {
      if (skips(problem!)) throw new TaskSkipped(new TrainerError('reward_error', 'threw', 'Mend it.'));
      return [{ ...right, reward: 1, success: true, turns: 1 }];
    },
  };
  const evaluator = createGreedyRollouts({ environment, problems, concurrency: 8, seed: 1, alive: () => {} });
  return evaluator.evaluate(new AbortController().signal);
}

test('problems that cannot be scored do not count, wherever they are, as long as there are others', async () => {
  expect(await evaluate((problem) => problem === 512)).toMatchObject({ total_samples: 512, accuracy: 1 });
  expect(await evaluate((problem) => problem < 512)).toMatchObject({ total_samples: 1, accuracy: 1 });
  await expect(evaluate(() => true)).rejects.toThrow('All 513 tasks had to be left out; the first: threw');
});

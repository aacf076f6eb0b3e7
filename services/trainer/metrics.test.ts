import { expect, test } from 'vitest';

import type { Evaluation } from '../contracts/evaluation.ts';
import { metricDefinition, metricDefinitions } from '../contracts/metrics.ts';
import { evaluationRates, rewardEvaluationMetrics, rewardMetrics } from './metrics.ts';

/** As an environment that searches has reported it. */
const recorded: Evaluation = {
  ...{ step: 100, is_baseline: false, accuracy: 0.4, correct_answers: 8, total_samples: 20, eval_time: 81.2 },
  ...{ avg_reward: 0.52, median_reward: 0.5, std_reward: 0.31, min_reward: 0, max_reward: 1.2 },
  ...{
    attempted_answer: 18,
    found_correct_profile: 12,
    read_correct_profile: 9,
    avg_turns: 6.35,
    avg_search_attempts: 3.1,
  },
};

test('the counts of an evaluation become shares of all its samples', () => {
  expect(evaluationRates(recorded)).toEqual({
    'eval/attempted_answer_rate': 0.9,
    'eval/found_profile_rate': 0.6,
    'eval/read_profile_rate': 0.45,
    'eval/avg_turns': 6.35,
    'eval/avg_search_attempts': 3.1,
  });
});

test('what an environment did not report has no metric, and no samples have no share', () => {
  const { attempted_answer: _, found_correct_profile: _2, avg_turns: _3, avg_search_attempts: _4, ...less } = recorded;
  expect(evaluationRates({ ...less, total_samples: 0 })).toEqual({ 'eval/read_profile_rate': 0 });
});

test('every metric of an evaluation with rewards is defined', () => {
  const names = Object.keys(rewardEvaluationMetrics(recorded, 0.4));
  expect(names.filter((name) => metricDefinition(name) === undefined)).toEqual([]);
});

test('the names that people know are all there (requirements M1, M2, M3)', () => {
  const train =
    'loss policy_loss kl_loss accuracy avg_reward median_reward reward_std learning_rate epoch step groups_kept groups_filtered num_early_exit trainable_token_ratio';
  const evaluation =
    'accuracy avg_reward median_reward reward_std std_reward best_accuracy attempted_answer_rate found_profile_rate read_profile_rate avg_turns avg_search_attempts';
  const perf = 'rollout_time training_time throughput gpu_utilization memory_usage';
  const system = 'gpu_memory_used gpu_memory_total cpu_usage disk_usage';
  const named = (prefix: string, names: string) => names.split(' ').map((name) => `${prefix}/${name}`);
  expect(Object.keys(metricDefinitions)).toEqual(
    expect.arrayContaining([
      ...named('train', train),
      ...named('eval', evaluation),
      ...named('perf', perf),
      ...named('system', system),
      ...['eval_avg_test_pass_rate', 'inference/step'],
    ]),
  );
});

test('each reward is measured over the rollouts that it scored', () => {
  expect(rewardMetrics([{ exact: 1 }, { exact: 0, style: 0.5 }, { exact: 1, style: 0.5 }, { exact: 0 }])).toEqual({
    'reward/exact/mean': 0.5,
    'reward/exact/std': 0.5,
    'reward/style/mean': 0.5,
    'reward/style/std': 0,
  });
});

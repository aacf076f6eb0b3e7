import { expect, test } from 'vitest';
import { rewardMetrics } from './metrics.ts';

test('each reward is measured over the rollouts that it scored', () => {
  expect(rewardMetrics([{ exact: 1 }, { exact: 0, style: 0.5 }, { exact: 1, style: 0.5 }, { exact: 0 }])).toEqual({
    'reward/exact/mean': 0.5,
    'reward/exact/std': 0.5,
    'reward/style/mean': 0.5,
    'reward/style/std': 0,
  });
});

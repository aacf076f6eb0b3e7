import { expect, test } from 'vitest';
import { resolveRunSpec } from '../contracts/resolve-run-spec.ts';
import type { Method } from '../contracts/run-spec.ts';
import { bestRule, improves, metricValue } from './best.ts';

function rule(method: Method, training: Record<string, unknown> = {}) {
  const resolved = resolveRunSpec({ method, model: { name: 'm' }, training });
  if (!resolved.ok) throw new Error('invalid');
  return bestRule(method, resolved.spec.training);
}

test('without a setting GRPO goes by val_reward, DPO by val_accuracy, SFT by eval_loss downwards', () => {
  expect(rule('grpo')).toEqual({ metric: 'val_reward', greaterIsBetter: true });
  expect(rule('dpo')).toEqual({ metric: 'val_accuracy', greaterIsBetter: true });
  expect(rule('sft')).toEqual({ metric: 'eval_loss', greaterIsBetter: false });
});

test('a named metric is better upwards unless it is a loss or the spec says so', () => {
  expect(rule('sft', { metric_for_best_model: 'eval/accuracy' }).greaterIsBetter).toBe(true);
  expect(rule('grpo', { metric_for_best_model: 'train/loss' }).greaterIsBetter).toBe(false);
  expect(rule('grpo', { metric_for_best_model: 'eval/reward', greater_is_better: false }).greaterIsBetter).toBe(false);
});

test('a metric answers to its other names, and NaN is no value', () => {
  expect(metricValue('eval/reward', new Map([['eval/avg_reward', 0.5]]))).toBe(0.5);
  expect(metricValue('eval/loss', new Map([['eval_loss', 0.2]]))).toBe(0.2);
  expect(metricValue('train/policy_loss', new Map([['train/policy_loss', 3]]))).toBe(3);
  expect(metricValue('eval_loss', new Map([['eval_loss', Number.NaN]]))).toBeUndefined();
  expect(metricValue('eval/typo', new Map([['eval_loss', 1]]))).toBeUndefined();
});

test('a tie leaves the earlier step the best', () => {
  const up = { metric: 'x', greaterIsBetter: true };
  expect(improves(0.5, null, up)).toBe(true);
  expect(improves(0.5, 0.5, up)).toBe(false);
  expect(improves(0.6, 0.5, up)).toBe(true);
  expect(improves(0.4, 0.5, { ...up, greaterIsBetter: false })).toBe(true);
});

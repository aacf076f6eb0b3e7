import { defaultBestMetric } from '../contracts/method-defaults.ts';
import type { Method, RunSpec } from '../contracts/run-spec.ts';

/** Which recorded metric decides the best checkpoint (requirement C3), and in which direction. */
export interface BestRule {
  readonly metric: string;
  readonly greaterIsBetter: boolean;
}

/** Several names of one value: whichever was recorded answers. */
const aliases: readonly (readonly string[])[] = [
  ['eval/reward', 'eval/avg_reward', 'eval_reward', 'val_reward'],
  ['eval/accuracy', 'eval_accuracy', 'val_accuracy', 'accuracy'],
  ['eval_loss', 'eval/loss', 'val_loss'],
  ['eval/reward_std', 'eval/std_reward'],
  ['val_reward_margin', 'eval/reward_margin'],
  ['train/loss', 'loss'],
];

/** A metric named in the spec without a direction gets better downwards if it is a loss. */
export function bestRule(method: Method, training: RunSpec['training']): BestRule {
  const standard = defaultBestMetric[method];
  const metric = training.metric_for_best_model ?? standard.metric;
  const byName =
    training.metric_for_best_model === null ? standard.greaterIsBetter : !/loss|perplexity|kl/i.test(metric);
  return { metric, greaterIsBetter: training.greater_is_better ?? byName };
}

/** The value of a metric under any of its names; undefined when it has not been recorded, or is no finite number. */
export function metricValue(metric: string, recorded: ReadonlyMap<string, number>): number | undefined {
  const names = [metric, ...(aliases.find((group) => group.includes(metric)) ?? [])];
  return names.map((name) => recorded.get(name)).find((value) => value !== undefined && Number.isFinite(value));
}

/** A tie is no improvement: the earlier step stays the best. */
export function improves(value: number, best: number | null, rule: BestRule): boolean {
  if (best === null) return true;
  return rule.greaterIsBetter ? value > best : value < best;
}

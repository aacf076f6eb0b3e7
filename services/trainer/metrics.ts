import type { Evaluation } from '../contracts/evaluation.ts';
import type { RecordBody } from '../contracts/record.ts';
import type { DpoMetrics } from './objectives/dpo-loss.ts';
import type { GrpoMetrics } from './objectives/grpo-metrics.ts';
import { type Statistics, statisticsOf } from './statistics.ts';

/*
 * The names of everything that is measured (requirements M1, M2, M3), in one place; what each means is in `contracts/metrics.ts` and METRICS.md. A value that depends on the machine or the time of
 * day is named `perf/` or `system/` and is no part of what a resumed run repeats.
 */

export type MetricValues = Readonly<Record<string, number>>;

/** What every method measures of a step. */
export interface StepMetrics {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping; null when the step made no update. */
  readonly gradNorm: number | null;
}

export function sftStepMetrics(at: StepMetrics & { readonly tokens: number; readonly entropy: number }): MetricValues {
  return { ...stepMetrics(at), 'train/entropy': at.entropy, 'train/tokens': at.tokens };
}

export interface DpoStep extends StepMetrics {
  readonly objective: DpoMetrics;
  readonly entropy: number;
  /** Completion tokens of both sides. */
  readonly tokens: number;
}

export function dpoStepMetrics(at: DpoStep): MetricValues {
  const { objective } = at;
  return {
    ...stepMetrics(at),
    'train/accuracy': objective.accuracy,
    'train/reward_margin': objective.rewardMargin,
    'train/chosen_reward': objective.chosenReward,
    'train/rejected_reward': objective.rejectedReward,
    'train/chosen_logprob': objective.chosenLogprob,
    'train/rejected_logprob': objective.rejectedLogprob,
    'train/entropy': at.entropy,
    'train/tokens': at.tokens,
  };
}

export interface GrpoStep extends StepMetrics {
  readonly rewards: Statistics;
  /** Share of rollouts that succeeded. */
  readonly accuracy: number;
  readonly groupsKept: number;
  readonly groupsFiltered: number;
  /** Tasks that a reward could not score. */
  readonly groupsSkipped: number;
  readonly earlyExits: number;
  readonly trainableTokens: number;
  readonly totalTokens: number;
  readonly completionLength: number;
  /** Rounds of sampling, 1 unless groups were replaced. */
  readonly samplingRounds: number;
  /** Share of rollouts that were cut off at the longest length. */
  readonly truncated: number;
  /** Mean of what rollouts lost by their length; their rewards are reported without it. */
  readonly overlongPenalty: number;
  /** Mean of the policy versions by which the rollouts are behind the policy that learns. */
  readonly staleness: number;
  readonly objective: GrpoMetrics;
}

export function grpoStepMetrics(at: GrpoStep): MetricValues {
  const { objective, rewards } = at;
  return {
    ...stepMetrics(at),
    'train/policy_loss': objective.policyLoss,
    'train/kl_loss': objective.klLoss,
    'train/kl': objective.kl,
    'train/accuracy': at.accuracy,
    'train/avg_reward': rewards.mean,
    'train/reward': rewards.mean,
    'train/median_reward': rewards.median,
    'train/reward_std': rewards.std,
    'train/groups_kept': at.groupsKept,
    'train/groups_filtered': at.groupsFiltered,
    'train/groups_skipped': at.groupsSkipped,
    'train/dead_group_ratio': at.groupsFiltered / Math.max(1, at.groupsKept + at.groupsFiltered),
    'train/num_early_exit': at.earlyExits,
    'train/trainable_token_ratio': at.totalTokens === 0 ? 0 : at.trainableTokens / at.totalTokens,
    'train/completion_length': at.completionLength,
    'train/sampling_rounds': at.samplingRounds,
    'train/truncated_ratio': at.truncated,
    'train/overlong_penalty': at.overlongPenalty,
    'train/staleness': at.staleness,
    'train/entropy': objective.entropy,
    'train/clip_fraction_low': objective.clipFractionLow,
    'train/clip_fraction_high': objective.clipFractionHigh,
    'train/ratio_mean': objective.ratioMean,
    'train/ratio_max': objective.ratioMax,
    'train/mismatch_kl': objective.mismatchKl,
    'train/mismatch_abs': objective.mismatchAbs,
    'train/mismatch_weight': objective.mismatchWeight,
    'train/mismatch_truncated': objective.mismatchTruncated,
    'train/mismatch_max': objective.mismatchMax,
  };
}

/** Of a step that learns from rollouts which go on while the policy is trained. Times are in seconds. */
export function aheadMetrics(at: {
  readonly stalest: number;
  readonly dropped: number;
  readonly waited: number;
  readonly idle: number;
  readonly inFlight: number;
  readonly buffered: number;
}): MetricValues {
  return {
    'train/staleness_max': at.stalest,
    'train/stale_dropped': at.dropped,
    'perf/rollout_wait_time': at.waited,
    'perf/rollout_idle_time': at.idle,
    'perf/rollouts_in_flight': at.inFlight,
    'perf/rollouts_buffered': at.buffered,
  };
}

/** Of each reward, before its weight, over the rollouts of a step that it scored. */
export function rewardMetrics(rewards: readonly Readonly<Record<string, number>>[]): MetricValues {
  const names = new Set(rewards.flatMap((each) => Object.keys(each)));
  const entries = [...names].flatMap((name) => {
    const { mean, std } = statisticsOf(rewards.flatMap((each) => each[name] ?? []));
    return [[`reward/${name}/mean`, mean] as const, [`reward/${name}/std`, std] as const];
  });
  return Object.fromEntries(entries);
}

/** Of an evaluation with rewards, and the names by which older scripts ask for them. */
export function rewardEvaluationMetrics(evaluation: Evaluation, bestAccuracy: number): MetricValues {
  return {
    'eval/accuracy': evaluation.accuracy,
    'eval/best_accuracy': bestAccuracy,
    'eval/avg_reward': evaluation.avg_reward,
    'eval/reward': evaluation.avg_reward,
    'eval/median_reward': evaluation.median_reward,
    'eval/reward_std': evaluation.std_reward,
    'eval/std_reward': evaluation.std_reward,
    ...evaluationRates(evaluation),
    eval_avg_test_pass_rate: evaluation.accuracy,
    val_reward: evaluation.avg_reward,
    'inference/step': evaluation.step,
  };
}

/** Of a pass rate that is taken beside evaluations. `generated`: on problems of training, for want of an evaluation set. */
export function passRateMetrics(rate: number, step: number, generated: boolean): MetricValues {
  return { eval_avg_test_pass_rate: rate, eval_problems_generated: generated ? 1 : 0, 'inference/step': step };
}

/** Of what an environment counted in an evaluation (requirement M2): counts as shares of all samples, means as they are. What it did not report is left out. */
export function evaluationRates(evaluation: Evaluation): MetricValues {
  const { total_samples: total } = evaluation;
  const share = (count: number | undefined) => (count === undefined ? undefined : total === 0 ? 0 : count / total);
  const values = {
    'eval/attempted_answer_rate': share(evaluation.attempted_answer),
    'eval/found_profile_rate': share(evaluation.found_correct_profile),
    'eval/read_profile_rate': share(evaluation.read_correct_profile),
    'eval/avg_turns': evaluation.avg_turns,
    'eval/avg_search_attempts': evaluation.avg_search_attempts,
  };
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}

export function lossEvaluationMetrics(evaluation: Evaluation, bestAccuracy: number): MetricValues {
  return {
    'eval/accuracy': evaluation.accuracy,
    'eval/best_accuracy': bestAccuracy,
    ...(evaluation.eval_loss !== undefined && { eval_loss: evaluation.eval_loss, 'eval/loss': evaluation.eval_loss }),
  };
}

/** Of an evaluation on preference pairs. */
export function preferenceEvaluationMetrics(evaluation: Evaluation, bestAccuracy: number): MetricValues {
  const { accuracy, eval_loss: loss, reward_margin: margin } = evaluation;
  return {
    ...lossEvaluationMetrics(evaluation, bestAccuracy),
    val_accuracy: accuracy,
    ...(loss !== undefined && { val_loss: loss }),
    ...(margin !== undefined && { val_reward_margin: margin, 'eval/reward_margin': margin }),
  };
}

/** A record of values, with NaN and infinities as words. */
export function metricsRecord(
  at: { readonly step: number; readonly epoch: number; readonly samples: number },
  values: MetricValues,
): Extract<RecordBody, { kind: 'metrics' }> {
  return { kind: 'metrics', ...at, values: Object.fromEntries(Object.entries(values).map(([k, v]) => [k, word(v)])) };
}

/** Whether a value is a function of the training itself, and so the same after a resume. */
export function isReproducible(name: string): boolean {
  return !name.startsWith('perf/') && !name.startsWith('system/');
}

function stepMetrics({ step, epoch, loss, learningRate, gradNorm }: StepMetrics): MetricValues {
  return {
    'train/loss': loss,
    'train/learning_rate': learningRate,
    'train/epoch': epoch,
    'train/step': step,
    ...(gradNorm !== null && { 'train/grad_norm': gradNorm }),
  };
}

function word(value: number): number | 'NaN' | 'Infinity' | '-Infinity' {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

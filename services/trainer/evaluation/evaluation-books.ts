import type { TrainingState } from '../../contracts/checkpoint.ts';
import type { Evaluation } from '../../contracts/evaluation.ts';
import { bestRule, improves, metricValue } from '../best.ts';
import { evaluationDue, passRateDue } from '../cadence.ts';
import { brokenAsLoaded, diverged } from '../diverged.ts';
import { evaluationBlock, evaluationFile } from '../log/evaluation-block.ts';
import { evalStep } from '../log/messages.ts';
import type { MetricValues } from '../metrics.ts';
import type { Session } from '../session.ts';

/** What an evaluation finds; step and time are added. */
export type EvaluationResult = Omit<Evaluation, 'step' | 'is_baseline' | 'eval_time' | 'timestamp'>;

/** How a method evaluates the current policy, and under which names it reports that. */
export interface Evaluator {
  evaluate(signal: AbortSignal): Promise<EvaluationResult>;
  metrics(evaluation: Evaluation, bestAccuracy: number): MetricValues;
}

/** How a method finds the share of problems that it solves, at little cost. */
export interface PassRate {
  evaluate(signal: AbortSignal): Promise<Pick<Evaluation, 'accuracy' | 'correct_answers' | 'total_samples'>>;
  /** Whether the problems are those of training, since no evaluation set is given. */
  readonly generated: boolean;
}

/** Evaluates when it is time, and keeps in the state what was best. */
export interface EvaluationBooks {
  /** Step of the best evaluation that no checkpoint has been saved for yet. */
  readonly unsavedBest: number | null;
  bestSaved(): void;
  /** Before training: evaluates, or says which baseline is used instead. */
  baseline(): Promise<void>;
  /** @throws StopRequested; the evaluation is then still due. */
  evaluateIfDue(): Promise<void>;
}

/**
 * @param recorded latest value of every metric
 * @param record reports metrics of the current step, and puts them into `recorded`
 */
export function createEvaluationBooks(params: {
  readonly session: Session;
  readonly state: TrainingState;
  readonly totalSteps: number;
  readonly evaluator: Evaluator | null;
  readonly passRate: PassRate | null;
  readonly recorded: ReadonlyMap<string, number>;
  readonly record: (values: MetricValues) => void;
  readonly onStart: () => void;
}): EvaluationBooks {
  const { session, state, evaluator, passRate, recorded, record } = params;
  const { attempt, spec, control, records, logs } = session;
  const rule = bestRule(spec.method, spec.training);
  let unsavedBest: number | null = null;
  let saidMissing = false;

  async function baseline(): Promise<void> {
    const known = attempt.baseline;
    // A later attempt does not repeat what an earlier one of the run has measured.
    if (known !== null && (!attempt.run_baseline_eval || attempt.attempt > 1 || state.global_step > 0)) {
      logs.eval.info(`Baseline loaded: ${describeBaseline(known)}`);
    } else if (!attempt.run_baseline_eval) {
      logs.eval.info(
        'No baseline evaluation: training.run_baseline_eval is false and none is recorded; training goes on',
      );
    } else if (evaluator !== null && state.global_step === 0) {
      await evaluate(evaluator, -1);
    }
  }

  async function evaluateIfDue(): Promise<void> {
    await evaluateInFull();
    await tellPassRate();
  }

  async function tellPassRate(): Promise<void> {
    const at = { totalSteps: params.totalSteps, evaluates: evaluator !== null };
    if (passRate === null || control.stopping.aborted || !passRateDue(state, spec.training, at)) return;
    params.onStart();
    const { accuracy, correct_answers, total_samples } = await passRate.evaluate(control.stopping);
    const step = state.global_step;
    state['last_pass_rate_step'] = step;
    record({
      eval_avg_test_pass_rate: accuracy,
      eval_problems_generated: passRate.generated ? 1 : 0,
      'inference/step': step,
    });
    const which = passRate.generated ? 'of the training set, since data.val_data is not set' : 'of the evaluation set';
    logs.eval.info(
      `Pass rate | eval_avg_test_pass_rate=${accuracy.toFixed(2)} | ${correct_answers}/${total_samples} problems ${which}`,
      { step },
    );
  }

  async function evaluateInFull(): Promise<void> {
    if (evaluator === null || control.stopping.aborted || !evaluationDue(state, spec.training, params.totalSteps))
      return;
    const evaluation = await evaluate(evaluator, state.global_step);
    state.best_accuracy = Math.max(state.best_accuracy, evaluation.accuracy);
    state.last_eval_step = state.global_step;
    record(evaluator.metrics(evaluation, state.best_accuracy));
    keepBest();
  }

  async function evaluate(by: Evaluator, step: number): Promise<Evaluation> {
    params.onStart();
    return takeEvaluation(session, by, step);
  }

  function keepBest(): void {
    const value = metricValue(rule.metric, recorded);
    if (value === undefined) {
      sayMissing();
      return;
    }
    forgetOtherMetric();
    if (!improves(value, state.best_metric, rule)) {
      state.evals_without_improvement += 1;
      return;
    }
    const step = state.global_step;
    state.best_metric = value;
    state.best_step = step;
    state.best_model_path = `${attempt.output_dir}/best_model`;
    state.evals_without_improvement = 0;
    unsavedBest = step;
    const message = `New best model: ${rule.metric} ${value.toFixed(4)} at step ${step}`;
    records.append([{ kind: 'event', name: 'best_updated', message, data: { step, metric: rule.metric, value } }]);
    logs.eval.info(message, { step });
  }

  /** What was best by another metric says nothing of this one, whose values are on another scale. */
  function forgetOtherMetric(): void {
    const before = state['best_metric_name'];
    state['best_metric_name'] = rule.metric;
    if (state.best_metric === null || typeof before !== 'string' || before === rule.metric) return;
    logs.eval.info(`The best model is now chosen by ${rule.metric}, no longer by ${before}: its choice begins anew`);
    state.best_metric = null;
    state.best_step = null;
    state.evals_without_improvement = 0;
  }

  function sayMissing(): void {
    if (saidMissing) return;
    saidMissing = true;
    const known = [...recorded.keys()].sort().join(', ');
    logs.eval.warning(
      `training.metric_for_best_model ${rule.metric} is not recorded, so no best model is kept; recorded are ${known}`,
    );
  }

  return {
    get unsavedBest() {
      return unsavedBest;
    },
    bestSaved() {
      unsavedBest = null;
    },
    baseline,
    evaluateIfDue,
  };
}

/**
 * Evaluates once, records it and prints its block.
 * @param step optimizer steps that the policy has had; -1 for the baseline
 * @param of what is evaluated, where it is not the run's own training
 * @throws StopRequested; nothing of it is recorded then
 */
export async function takeEvaluation(
  session: Pick<Session, 'attempt' | 'control' | 'records' | 'logs' | 'now' | 'wall'>,
  { evaluate }: Pick<Evaluator, 'evaluate'>,
  step: number,
  of?: string,
): Promise<Evaluation> {
  const { attempt, control, records, logs, now, wall } = session;
  const startedAt = now();
  const found = await evaluate(control.stopping);
  requireNumbers(found, step);
  const evaluation: Evaluation = {
    step,
    is_baseline: step < 0,
    ...found,
    eval_time: (now() - startedAt) / 1000,
    ...(step < 0 && { timestamp: new Date(wall()).toISOString() }),
  };
  records.append([{ kind: 'evaluation', evaluation }]);
  logs.eval.info(evalStep(evaluation.accuracy, evaluation.avg_reward, evaluation.std_reward), { step });
  logs.eval.info(evaluationBlock(evaluation, evaluationFile(attempt.output_dir, evaluation), of), { step });
  return evaluation;
}

/** A record of an evaluation holds numbers alone. One that is none comes of weights that are none. */
function requireNumbers(found: EvaluationResult, step: number): void {
  const [broken] = Object.entries(found).filter(([, value]) => typeof value === 'number' && !Number.isFinite(value));
  if (broken === undefined) return;
  const what = `${broken[0]} is ${String(broken[1])} in the evaluation`;
  throw step <= 0 ? brokenAsLoaded(what) : diverged(`${what} at step ${step}`);
}

function describeBaseline(baseline: Readonly<Record<string, unknown>>): string {
  const accuracy = typeof baseline['accuracy'] === 'number' ? baseline['accuracy'].toFixed(4) : 'unknown';
  const run = typeof baseline['run'] === 'string' ? ` of ${baseline['run']}` : '';
  const taken = typeof baseline['timestamp'] === 'string' ? `, taken ${baseline['timestamp']}` : '';
  return `accuracy ${accuracy}${run}${taken}`;
}

import type { TrainingState } from '../contracts/checkpoint.ts';
import type { ProgressRecord, RolloutsProgress } from '../contracts/record.ts';
import { EngineMemoryError } from '../model/errors.ts';
import { StopRequested } from './agent/attempt-control.ts';
import { type Ending, endingOf, savePurposes } from './cadence.ts';
import { takeSnapshot } from './checkpoint/snapshot.ts';
import { configView } from './config-view.ts';
import { epochsDone } from './data/data-order.ts';
import { engineMemory } from './engine-memory.ts';
import { createEvaluationBooks, type Evaluator, type PassRate } from './evaluation/evaluation-books.ts';
import type { Learner } from './learner/learner.ts';
import type { Policy } from './learner/policy.ts';
import { stepLine } from './log/messages.ts';
import { runSummary } from './log/run-summary.ts';
import { isReproducible, type MetricValues, metricsRecord } from './metrics.ts';
import { type ScheduleOptions, schedulerState } from './optimizer/schedule.ts';
import { outOfMemory } from './out-of-memory.ts';
import { eta, progressRecord, type TrainingClock } from './progress.ts';
import type { CheckpointSaver } from './saving/checkpoint-saver.ts';
import type { Outcome, Session } from './session.ts';
import { trainingMetadata } from './training-metadata.ts';

/** Between two reports of a phase that goes on. */
const ALIVE_MS = 15_000;

/** What every method does around its steps: evaluates, keeps the best, saves, reports, ends. */
export interface Bookkeeping {
  readonly state: TrainingState;
  readonly totalSteps: number;
  /** Passes over the data, fractional. */
  epoch(): number;
  progress(phase: ProgressRecord['phase']): void;
  /** The same, unless the last report named this phase already. */
  enter(phase: ProgressRecord['phase']): void;
  /** A part of the phase is done: says so if nothing has been reported for a while, so that a long phase is not taken for a hang. */
  alive(): void;
  /** Reports once more where training is, as what goes on beside it has changed. */
  again(): void;
  /** `Step 100/1000 (10.0%) | ...` */
  stepLine(): string;
  /** Before training: evaluates, or says which baseline is used instead. */
  baseline(): Promise<void>;
  evaluateIfDue(): Promise<void>;
  /** Why training is over; null while it goes on. */
  ending(): Ending | null;
  saveIfDue(ending: Ending | null): Promise<void>;
  /** Does work that is given up half-way, with nothing of it done, when the attempt is to stop. */
  unlessStopped(work: () => Promise<void>): Promise<void>;
  recordStep(values: MetricValues): void;
  /** Waits for the last checkpoint, and closes the books. */
  finish(ending: Ending | null): Promise<Outcome>;
}

export function createBookkeeping(params: {
  readonly session: Session;
  readonly state: TrainingState;
  readonly clock: TrainingClock;
  readonly saver: CheckpointSaver;
  readonly policy: Policy;
  readonly learner: Learner;
  readonly schedule: ScheduleOptions;
  readonly dataSize: number;
  readonly evaluator: Evaluator | null;
  readonly passRate: PassRate | null;
  readonly inputs: Readonly<Record<string, string>>;
  /** What rollouts do; null where none go on beside training. */
  readonly rollouts: () => RolloutsProgress | null;
}): Bookkeeping {
  const { session, state, clock, saver, policy, learner, schedule, evaluator, passRate } = params;
  const { attempt, spec, control, records, logs } = session;
  const { training } = spec;
  const { totalSteps } = schedule;
  const memory = engineMemory(session.engine);
  const recorded = new Map(Object.entries(latestMetrics(state)));
  let phase: ProgressRecord['phase'] = 'loading';
  let reportedAt = session.now();
  const onStart = () => progress('evaluation');
  const evaluations = createEvaluationBooks({
    session,
    state,
    totalSteps,
    evaluator,
    passRate,
    recorded,
    record,
    onStart,
  });

  function epoch(): number {
    return epochsDone(state.data_position, params.dataSize);
  }

  function progress(now: ProgressRecord['phase']): void {
    phase = now;
    reportedAt = session.now();
    const at = { phase, step: state.global_step, totalSteps, epoch: epoch(), elapsedSeconds: clock.elapsed() };
    records.append([progressRecord({ ...at, rollouts: params.rollouts() })]);
  }

  function alive(): void {
    if (session.now() - reportedAt >= ALIVE_MS) progress(phase);
  }

  function record(values: MetricValues): void {
    for (const [name, value] of Object.entries(values)) recorded.set(name, value);
    const kept = [...recorded].filter(([name, value]) => isReproducible(name) && Number.isFinite(value));
    state['latest_metrics'] = Object.fromEntries(kept);
    records.append([metricsRecord({ step: state.global_step, epoch: epoch(), samples: state.samples }, values)]);
  }

  async function saveIfDue(ending: Ending | null): Promise<void> {
    const purposes = savePurposes(state, training, {
      lastSavedStep: saver.lastSavedStep,
      improved: evaluations.unsavedBest === state.global_step,
      ending: ending !== null,
      requested: control.takeSaveRequest() || control.stopping.aborted,
    });
    if (purposes.length === 0) return;
    evaluations.bestSaved();
    progress('saving');
    state.elapsed_seconds = clock.elapsed();
    await saver.save(snapshot(), {
      step: state.global_step,
      purposes,
      policy_version: state.policy_version,
      record: records.high,
      epoch: epoch(),
      best_metric: state.best_metric,
      metrics: latestMetrics(state),
      inputs: { ...params.inputs },
    });
  }

  function snapshot() {
    const weights = policy.trainedWeights();
    return takeSnapshot({
      weights: policy.lora
        ? { kind: 'lora', config: policy.lora, weights, baseModel: spec.model.name }
        : { kind: 'full', configJson: policy.configJson, weights },
      modelDirectory: policy.directory,
      optimizer: learner.optimizer,
      scheduler: schedulerState(schedule, state.global_step),
      // Every random number is a function of the seed and counters, so these are the whole state of the generator.
      rng: { generator: 'philox4x32-10', seed: spec.seed, step: state.global_step, data_position: state.data_position },
      trainingState: state,
      trainingMetadata: trainingMetadata(state, recorded, configView(attempt)),
    });
  }

  async function unlessStopped(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      control.closed.throwIfAborted();
      if (error instanceof EngineMemoryError) {
        throw outOfMemory(error, {
          ...{ phase, step: state.global_step + 1, spec, config: policy.config, memory },
        });
      }
      if (!(error instanceof StopRequested)) throw error;
      learner.discard();
    }
  }

  async function finish(ending: Ending | null): Promise<Outcome> {
    progress('finishing');
    await saver.settle();
    if (ending === null) {
      logs.training.info(`Stopped on request at step ${state.global_step}/${totalSteps}; a resume continues from here`);
      return { kind: 'stopped' };
    }
    const bestAccuracy = state.last_eval_step === null ? null : state.best_accuracy;
    const summary = runSummary({
      steps: state.global_step,
      totalSteps,
      bestAccuracy,
      bestModelPath: state.best_model_path,
      elapsedSeconds: clock.elapsed(),
      targetAccuracy: training.target_accuracy,
      stoppedEarly: ending.why,
    });
    logs.training.info(summary, { step: state.global_step });
    const model = training.load_best_model_at_end && state.best_step !== null ? 'best' : 'final';
    const { best_metric, best_step, global_step: step } = state;
    const message = ending.why ?? `Training completed: ${step} steps`;
    const data = { step, best_metric, best_step, best_accuracy: bestAccuracy, model };
    records.append([{ kind: 'event', name: 'finished', message, reason: ending.reason, data }]);
    return { kind: 'finished' };
  }

  return {
    state,
    totalSteps,
    epoch,
    progress,
    enter: (next) => {
      if (phase !== next) progress(next);
    },
    alive,
    again: () => progress(phase),
    stepLine() {
      const elapsedSeconds = clock.elapsed();
      const step = state.global_step;
      return stepLine({ step, totalSteps, elapsedSeconds, etaSeconds: eta(step, totalSteps, elapsedSeconds) });
    },
    baseline: () => unlessStopped(evaluations.baseline),
    evaluateIfDue: () => unlessStopped(evaluations.evaluateIfDue),
    ending: () => endingOf(state, training, totalSteps),
    saveIfDue,
    unlessStopped,
    recordStep: record,
    finish,
  };
}

/** Metrics as they were last, kept with the state so that a best metric such as `train/loss` survives a resume. */
function latestMetrics(state: TrainingState): Record<string, number> {
  const latest = state['latest_metrics'];
  if (typeof latest !== 'object' || latest === null) return {};
  const entries = Object.entries(latest);
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}

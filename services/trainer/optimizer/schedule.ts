import type { RunSpec } from '../../contracts/run-spec.ts';
import { type DataPosition, stepsPerEpoch } from '../data/data-order.ts';

export interface ScheduleOptions {
  readonly type: 'constant' | 'linear' | 'cosine';
  /** Peak learning rate. */
  readonly learningRate: number;
  /** Steps of linear warm-up from 0. */
  readonly warmupSteps: number;
  /** Optimizer steps in all; `linear` and `cosine` reach 0 there. */
  readonly totalSteps: number;
}

/** What `torch.optim.lr_scheduler.LambdaLR` saves, as far as it says anything. */
export interface SchedulerState {
  readonly baseLrs: readonly number[];
  /** Scheduler steps taken, which is optimizer steps done. */
  readonly lastEpoch: number;
  /** The rate the next update uses. */
  readonly lastLr: readonly number[];
}

/**
 * The schedule of a run. `max_steps` goes before `num_epochs`; a part of an epoch, and a part of a step of warm-up, count as a whole one, as
 * `TrainingArguments` of transformers has them.
 *
 * What is left of `num_epochs` is counted from where the data stands, so that a run which goes on with other batches, or with other data, sees all
 * of it as often as it was asked for.
 *
 * @param examples of one pass over the data
 * @param perStep examples of one optimizer step; the last one of an epoch may have fewer
 * @param from steps that are done, and where the data stands after them; left out where the steps are counted from the first
 */
export function planSchedule(
  training: Pick<
    RunSpec['training'],
    'lr_scheduler_type' | 'learning_rate' | 'warmup_steps' | 'warmup_ratio' | 'max_steps' | 'num_epochs'
  >,
  { examples, perStep, from }: { readonly examples: number; readonly perStep: number; readonly from?: StandingAt },
): ScheduleOptions {
  const totalSteps =
    training.max_steps ?? stepsOfEpochs(training.num_epochs, { examples, perStep, from: from ?? beginning });
  return {
    type: training.lr_scheduler_type,
    learningRate: training.learning_rate,
    warmupSteps: training.warmup_steps ?? Math.ceil((training.warmup_ratio ?? 0) * totalSteps),
    totalSteps,
  };
}

export interface StandingAt {
  readonly step: number;
  readonly position: DataPosition;
}

const beginning: StandingAt = { step: 0, position: { epoch: 0, offset: 0 } };

function stepsOfEpochs(
  epochs: number,
  { examples, perStep, from }: { readonly examples: number; readonly perStep: number; readonly from: StandingAt },
): number {
  const perEpoch = stepsPerEpoch(examples, perStep);
  const { epoch, offset } = from.position;
  const leftOfEpoch = stepsPerEpoch(Math.max(0, examples - offset), perStep);
  const passed = epoch * perEpoch + (perEpoch - leftOfEpoch);
  return from.step + Math.ceil(epochs * perEpoch) - passed;
}

/**
 * The learning rate of the update that follows `step` updates: `get_{constant,linear,cosine}_schedule_with_warmup` of transformers. Pure,
 * so a resumed run needs only its step.
 */
export function learningRateAt(options: ScheduleOptions, step: number): number {
  return options.learningRate * multiplier(options, step);
}

/** The schedule as LambdaLR would save it after `step` updates. */
export function schedulerState(options: ScheduleOptions, step: number): SchedulerState {
  return { baseLrs: [options.learningRate], lastEpoch: step, lastLr: [learningRateAt(options, step)] };
}

function multiplier({ type, warmupSteps, totalSteps }: ScheduleOptions, step: number): number {
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  const decaySteps = Math.max(1, totalSteps - warmupSteps);
  switch (type) {
    case 'constant':
      return 1;
    case 'linear':
      return Math.max(0, (totalSteps - step) / decaySteps);
    case 'cosine':
      // transformers lets the cosine rise again past its end; a run that is continued beyond its plan must not.
      return 0.5 * (1 + Math.cos(Math.PI * Math.min(1, (step - warmupSteps) / decaySteps)));
  }
}

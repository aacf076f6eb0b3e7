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

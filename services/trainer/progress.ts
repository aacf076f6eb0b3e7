import type { ProgressRecord, RolloutsProgress } from '../contracts/record.ts';

/** Training time over all attempts. */
export interface TrainingClock {
  /** Seconds so far. */
  elapsed(): number;
}

/** @param before seconds that earlier attempts had trained up to the checkpoint this one starts from. */
export function startClock(params: { readonly now: () => number; readonly before: number }): TrainingClock {
  const startedAt = params.now();
  return { elapsed: () => params.before + Math.max(0, params.now() - startedAt) / 1000 };
}

/** Seconds left if the remaining steps take as long as the ones so far; null before the first step. */
export function eta(step: number, totalSteps: number, elapsedSeconds: number): number | null {
  return step === 0 ? null : (elapsedSeconds / step) * Math.max(0, totalSteps - step);
}

export interface ProgressAt {
  readonly phase: ProgressRecord['phase'];
  readonly step: number;
  readonly totalSteps: number;
  readonly epoch: number;
  readonly elapsedSeconds: number;
  /** Null where none go on beside training. */
  readonly rollouts: RolloutsProgress | null;
}

export function progressRecord(at: ProgressAt): Omit<ProgressRecord, 'n' | 'time'> {
  return {
    kind: 'progress',
    phase: at.phase,
    step: at.step,
    total_steps: at.totalSteps,
    epoch: at.epoch,
    elapsed_seconds: round(at.elapsedSeconds),
    eta_seconds: roundOrNull(eta(at.step, at.totalSteps, at.elapsedSeconds)),
    ...(at.rollouts !== null && { rollouts: at.rollouts }),
  };
}

/** How far an evaluation has come that is all a run does. */
export function evaluationProgress(at: {
  readonly step: number;
  readonly epoch: number;
  readonly done: number;
  readonly total: number;
  readonly elapsedSeconds: number;
}): Omit<ProgressRecord, 'n' | 'time'> {
  return {
    kind: 'progress',
    phase: 'evaluation',
    step: at.step,
    total_steps: at.step,
    epoch: at.epoch,
    elapsed_seconds: round(at.elapsedSeconds),
    eta_seconds: roundOrNull(eta(at.done, at.total, at.elapsedSeconds)),
    evaluated: { done: at.done, total: at.total },
  };
}

function roundOrNull(seconds: number | null): number | null {
  return seconds === null ? null : round(seconds);
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

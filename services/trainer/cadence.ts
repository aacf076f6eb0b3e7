import type { CheckpointPurpose, TrainingState } from '../contracts/checkpoint.ts';
import type { RunSpec } from '../contracts/run-spec.ts';

/*
 * When something is due. Each is a function of the training state alone, so a run that was killed or stopped at any point does
 * afterwards what it would have done without that.
 */

export type Ending =
  | { readonly reason: 'completed'; readonly why: null }
  | { readonly reason: 'early_stopped' | 'target_accuracy_reached'; readonly why: string };

type State = Pick<
  TrainingState,
  'global_step' | 'last_eval_step' | 'evals_without_improvement' | 'best_accuracy' | 'data_position'
>;

/** Every `eval_steps` and at the end, never twice for a step. */
export function evaluationDue(state: State, training: RunSpec['training'], totalSteps: number): boolean {
  const { global_step: step, last_eval_step: last } = state;
  if (training.eval_steps === 0 || step === 0 || last === step) return false;
  return step % training.eval_steps === 0 || step >= totalSteps;
}

/** Steps from one pass rate to the next. */
export const PASS_RATE_STEPS = 25;

/**
 * The pass rate of a GRPO run, beside its evaluations, which tell it themselves: every 25 steps, and at the end of a run that evaluates nothing; never
 * twice for a step. `training.eval_steps` 0 turns it off too.
 */
export function passRateDue(
  state: State & { readonly last_pass_rate_step?: unknown },
  training: RunSpec['training'],
  { totalSteps, evaluates }: { readonly totalSteps: number; readonly evaluates: boolean },
): boolean {
  const { global_step: step, last_eval_step: evaluated, last_pass_rate_step: told } = state;
  if (training.eval_steps === 0 || step === 0 || evaluated === step || told === step) return false;
  return step % PASS_RATE_STEPS === 0 || (!evaluates && step >= totalSteps);
}

/** Whether the checkpoint schedule asks for this step. */
export function saveDue(state: State, training: RunSpec['training']): boolean {
  if (state.global_step === 0) return false;
  if (training.save_strategy === 'epoch') return state.data_position.offset === 0;
  return state.global_step % training.save_steps === 0;
}

/** Why training is over, or null while it goes on. */
export function endingOf(state: State, training: RunSpec['training'], totalSteps: number): Ending | null {
  const evaluatedNow = state.last_eval_step === state.global_step;
  const { target_accuracy: target, early_stopping_patience: patience } = training;
  if (evaluatedNow && target !== null && state.best_accuracy >= target) {
    return { reason: 'target_accuracy_reached', why: `accuracy ${state.best_accuracy} reached the target ${target}` };
  }
  const stepsLeft = state.global_step < totalSteps;
  if (stepsLeft && evaluatedNow && patience !== null && state.evals_without_improvement >= patience) {
    return {
      reason: 'early_stopped',
      why: `${state.evals_without_improvement} evaluations without improvement (patience ${patience})`,
    };
  }
  return stepsLeft ? null : { reason: 'completed', why: null };
}

/** What a checkpoint at this point would be for; empty: none is due. */
export function savePurposes(
  state: State,
  training: RunSpec['training'],
  at: {
    /** Step of the newest checkpoint that this attempt saved or started from. */
    readonly lastSavedStep: number | null;
    readonly improved: boolean;
    readonly ending: boolean;
    /** Stop or save on request. */
    readonly requested: boolean;
  },
): CheckpointPurpose[] {
  const saved = at.lastSavedStep === state.global_step;
  const purposes: CheckpointPurpose[] = [];
  if (saveDue(state, training) && !saved) purposes.push('step');
  if (at.improved) purposes.push('best');
  if (at.ending) purposes.push('final');
  if (at.requested && !saved) purposes.push('stop');
  // A checkpoint saved again for another purpose is still the step's.
  if (purposes.length > 0 && saveDue(state, training) && !purposes.includes('step')) purposes.unshift('step');
  return purposes;
}

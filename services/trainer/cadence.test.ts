import { describe, expect, test } from 'vitest';
import { trainingStateSchema } from '../contracts/checkpoint.ts';
import { resolveRunSpec } from '../contracts/resolve-run-spec.ts';
import { endingOf, evaluationDue, passRateDue, saveDue, savePurposes } from './cadence.ts';

const training = (written: Record<string, unknown> = {}) => {
  const resolved = resolveRunSpec({
    ...{ model: { name: 'm' }, data: { val_data: 'val.jsonl' } },
    training: { eval_steps: 10, save_steps: 20, ...written },
  });
  if (!resolved.ok) throw new Error('invalid');
  return resolved.spec.training;
};
const state = (fields: Record<string, unknown>) => trainingStateSchema.parse(fields);
const at = { lastSavedStep: null, improved: false, ending: false, requested: false };

describe('an evaluation', () => {
  test('is due every eval_steps, not at step 0, and never twice for a step', () => {
    expect(evaluationDue(state({ global_step: 10 }), training(), 100)).toBe(true);
    expect(evaluationDue(state({ global_step: 10, last_eval_step: 10 }), training(), 100)).toBe(false);
    expect(evaluationDue(state({ global_step: 0 }), training(), 100)).toBe(false);
    expect(evaluationDue(state({ global_step: 11 }), training(), 100)).toBe(false);
    expect(evaluationDue(state({ global_step: 10 }), training({ eval_steps: 0 }), 100)).toBe(false);
  });
});

describe('the pass rate', () => {
  const end = { totalSteps: 40, evaluates: false };
  const due = (fields: Record<string, unknown>, { written = {}, evaluates = false } = {}) =>
    passRateDue(state(fields), training({ eval_steps: 200, ...written }), { ...end, evaluates });

  test('is due every 25 steps, and never twice for a step, also not after a resume', () => {
    expect([24, 25, 26, 50].map((global_step) => due({ global_step }))).toEqual([false, true, false, true]);
    expect(due({ global_step: 25, last_pass_rate_step: 25 })).toBe(false);
    expect(due({ global_step: 25, last_eval_step: 25 })).toBe(false);
    expect(due({ global_step: 25, last_pass_rate_step: 0, last_eval_step: 10 })).toBe(true);
  });

  test('is due at the end of a run that evaluates nothing, however short, unless evaluations are off', () => {
    expect(due({ global_step: 40 })).toBe(true);
    expect(due({ global_step: 40 }, { evaluates: true })).toBe(false);
    expect(due({ global_step: 25 }, { written: { eval_steps: 0 } })).toBe(false);
  });
});

describe('the evaluation at the end', () => {
  test('is due whatever eval_steps is, unless it is 0 or that step has been evaluated', () => {
    expect(evaluationDue(state({ global_step: 17 }), training(), 17)).toBe(true);
    expect(evaluationDue(state({ global_step: 17, last_eval_step: 10 }), training({ eval_steps: 500 }), 17)).toBe(true);
    expect(evaluationDue(state({ global_step: 17, last_eval_step: 17 }), training(), 17)).toBe(false);
    expect(evaluationDue(state({ global_step: 17 }), training({ eval_steps: 0 }), 17)).toBe(false);
  });
});

describe('a checkpoint', () => {
  test('is due every save_steps or at the end of an epoch', () => {
    expect(saveDue(state({ global_step: 40 }), training())).toBe(true);
    expect(saveDue(state({ global_step: 41 }), training())).toBe(false);
    const epoch = training({ save_strategy: 'epoch' });
    expect(saveDue(state({ global_step: 41, data_position: { epoch: 2, offset: 0 } }), epoch)).toBe(true);
    expect(saveDue(state({ global_step: 40, data_position: { epoch: 2, offset: 8 } }), epoch)).toBe(false);
    expect(saveDue(state({ global_step: 0 }), epoch)).toBe(false);
  });

  test('says all it is for', () => {
    const due = state({ global_step: 40 });
    expect(savePurposes(due, training(), at)).toEqual(['step']);
    expect(savePurposes(due, training(), { ...at, improved: true, ending: true })).toEqual(['step', 'best', 'final']);
    expect(savePurposes(state({ global_step: 41 }), training(), { ...at, requested: true })).toEqual(['stop']);
    expect(savePurposes(state({ global_step: 41 }), training(), at)).toEqual([]);
  });

  test('is not saved again for the same state, unless it has become the best or the final one', () => {
    const saved = { ...at, lastSavedStep: 40 };
    const due = state({ global_step: 40 });
    expect(savePurposes(due, training(), { ...saved, requested: true })).toEqual([]);
    expect(savePurposes(due, training(), { ...saved, improved: true })).toEqual(['step', 'best']);
    expect(savePurposes(due, training(), { ...saved, ending: true })).toEqual(['step', 'final']);
  });
});

describe('training ends', () => {
  test('at the last step', () => {
    expect(endingOf(state({ global_step: 99 }), training(), 100)).toBeNull();
    expect(endingOf(state({ global_step: 100 }), training(), 100)).toEqual({ reason: 'completed', why: null });
  });

  test('after too many evaluations without improvement, also when that is found after a resume', () => {
    const patient = training({ early_stopping_patience: 3 });
    const waiting = { global_step: 40, last_eval_step: 40, evals_without_improvement: 2 };
    expect(endingOf(state(waiting), patient, 100)).toBeNull();
    expect(endingOf(state({ ...waiting, evals_without_improvement: 3 }), patient, 100)?.reason).toBe('early_stopped');
    expect(endingOf(state({ ...waiting, evals_without_improvement: 3, last_eval_step: 30 }), patient, 100)).toBeNull();
  });

  test('as completed when the patience runs out at the last step', () => {
    const spent = { global_step: 40, last_eval_step: 40, evals_without_improvement: 3 };
    expect(endingOf(state(spent), training({ early_stopping_patience: 3 }), 40)?.reason).toBe('completed');
  });

  test('when an evaluation reaches the target accuracy', () => {
    const aiming = training({ target_accuracy: 0.9 });
    const reached = endingOf(state({ global_step: 40, last_eval_step: 40, best_accuracy: 0.9 }), aiming, 100);
    expect(reached?.reason).toBe('target_accuracy_reached');
    expect(endingOf(state({ global_step: 40, last_eval_step: 40, best_accuracy: 0.89 }), aiming, 100)).toBeNull();
  });
});

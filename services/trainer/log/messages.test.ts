import { expect, test } from 'vitest';
import { evaluationBlock, evaluationFile } from './evaluation-block.ts';
import { decimal, duration, quoted } from './format.ts';
import { groupSummary } from './group-summary.ts';
import * as messages from './messages.ts';
import { runSummary } from './run-summary.ts';

test('the lines that people grep for are what they have always been, to the letter', () => {
  expect([
    messages.stepLine({ step: 100, totalSteps: 1000, elapsedSeconds: 930, etaSeconds: 8370 }),
    messages.collectingRollouts(4, 4),
    messages.rolloutsCollected(44.2, 0.75),
    messages.computingAdvantages(4, 0),
    messages.trainingStep({ loss: 0.234, policyLoss: 0.201, klLoss: 0.033 }),
    messages.evalStep(0.65, 0.65, 0.12),
    messages.checkpointSaved(100),
    messages.rolloutTask('train_01_open_settings', 1, 4),
    messages.rolloutAction(1, 'click', 'Settings icon'),
    messages.rolloutTurn(1, true),
    messages.rolloutCompleted(3, 1, true),
    messages.resumedFrom(40, 2),
  ]).toEqual([
    'Step 100/1000 (10.0%) | elapsed 0:15:30 | ETA 2:19:30',
    'Collecting rollouts: 4 tasks × 4 rollouts',
    'Rollouts collected | time=44.2s | success_rate=0.75',
    'Computing GRPO advantages | groups_kept=4 | groups_filtered=0',
    'Training step | loss=0.234 | policy_loss=0.201 | kl_loss=0.033',
    'Eval step | accuracy=0.65 | reward=0.650 | std=0.120',
    'Checkpoint saved: checkpoint-100',
    '[ROLLOUT] Task train_01_open_settings | Rollout 1/4',
    '[ROLLOUT] Turn 1: action=click, target="Settings icon"',
    '[ROLLOUT] Turn 1: success=True',
    '[ROLLOUT] Completed | turns=3 | reward=1.0 | success=True',
    'Resumed from step 40, epoch 2',
  ]);
});

test('the group summary has the labels of the verbose log', () => {
  const summary = groupSummary({
    ...{ totalGroups: 4, groupsKept: 3, groupsFiltered: 1, rollouts: 16, finishedEarly: 5 },
    ...{ rolloutSeconds: 44.21, trainingSeconds: 3.08, trainableTokens: 250, totalTokens: 1000 },
  });
  expect(summary.split('\n')).toEqual([
    'Group Summary:',
    '  Total groups: 4',
    '  Groups kept for training: 3',
    '  Groups filtered (low variance): 1',
    '  Rollouts finished early: 5/16',
    '  Total rollout time: 44.2s',
    '  Total training time: 3.1s',
    '  Trainable tokens: 250/1000 (25.0%)',
  ]);
});

test('an evaluation prints its statistics, the rubric counts it has, and where it is kept', () => {
  const evaluation = {
    ...{ step: 100, is_baseline: false, accuracy: 0.65, correct_answers: 130, total_samples: 200 },
    ...{ avg_reward: 0.65, median_reward: 1, std_reward: 0.477, min_reward: 0, max_reward: 1 },
    ...{ found_correct_profile: 12, eval_time: 3.21 },
  };
  const file = evaluationFile('outputs/x', evaluation);
  const block = evaluationBlock(evaluation, file);
  expect(block).toContain('Eval stats saved to: outputs/x/eval_logs/eval_step_0100.json');
  expect(block).toContain('Accuracy: 65.00% (130/200)');
  expect(block).toContain('Found correct profile: 12/200');
  expect(block).not.toContain('search');
  expect(evaluationFile('outputs/x', { step: -1, is_baseline: true })).toBe('outputs/x/baseline_eval.json');
  expect(evaluationBlock({ ...evaluation, step: -1, is_baseline: true }, file)).toContain('BASELINE EVALUATION');
});

test('an evaluation of link search prints its whole rubric', () => {
  const evaluation = {
    ...{ step: 50, is_baseline: false, accuracy: 0.5, correct_answers: 5, total_samples: 10, attempted_answer: 9 },
    ...{ avg_reward: 0.4, median_reward: 0.5, std_reward: 0.6, min_reward: -1, max_reward: 1.5, avg_score: 0.7 },
    ...{ avg_hits: 1.25, found_correct_profile: 6, read_correct_profile: 4, avg_turns: 7.5, avg_search_attempts: 3 },
    eval_time: 65.04,
  };
  expect(evaluationBlock(evaluation, evaluationFile('outputs/x', evaluation)).split('\n')).toEqual([
    '='.repeat(60),
    'Evaluation at step 50',
    '='.repeat(60),
    '  Accuracy: 50.00% (5/10)',
    '  Average reward: 0.4000',
    '  Median reward: 0.5000',
    '  Std reward: 0.6000',
    '  Min reward: -1.0000',
    '  Max reward: 1.5000',
    '  Average score: 0.7000',
    '  Average hits: 1.25',
    '  Attempted answer: 9/10',
    '  Found correct profile: 6/10',
    '  Read correct profile: 4/10',
    '  Average turns: 7.50',
    '  Average search attempts: 3.00',
    '  Time: 65.0s',
    'Eval stats saved to: outputs/x/eval_logs/eval_step_0050.json',
    '='.repeat(60),
  ]);
});

test('the summary says whether the target was reached and why training stopped early', () => {
  const summary = runSummary({
    ...{ steps: 80, totalSteps: 100, bestAccuracy: 0.91, bestModelPath: 'outputs/x/best_model', elapsedSeconds: 61 },
    ...{ targetAccuracy: 0.9, stoppedEarly: 'accuracy 0.91 reached the target 0.9' },
  });
  expect(summary).toContain('Steps: 80/100');
  expect(summary).toContain('Best accuracy: 0.9100');
  expect(summary).toContain('Best model: outputs/x/best_model');
  expect(summary).toContain('Total time: 0:01:01');
  expect(summary).toContain('Target accuracy reached: yes (target 0.90)');
  expect(summary).toContain('Stopped early: accuracy 0.91 reached the target 0.9');
});

test('model output cannot break out of its line', () => {
  expect(quoted('a"\n\u001b[31m\u009b\u2028')).toBe('"a\\"\\n\\u001b[31m\\u009b\\u2028"');
  expect(quoted('x'.repeat(500))).toHaveLength(202);
});

test('numbers are written as Python writes them', () => {
  expect([1, 0.5, 1 / 3, -2, Number.NaN].map(decimal)).toEqual(['1.0', '0.5', '0.333', '-2.0', 'nan']);
  expect([0, 59.6, 3600 * 30].map(duration)).toEqual(['0:00:00', '0:01:00', '30:00:00']);
});

import type { Evaluation } from '../../contracts/evaluation.ts';
import { fixed } from './format.ts';

const RULE = '='.repeat(60);

/** Where an evaluation is kept in the run's tree (requirement M8). */
export function evaluationFile(outputDir: string, evaluation: Pick<Evaluation, 'step' | 'is_baseline'>): string {
  if (evaluation.is_baseline) return `${outputDir}/baseline_eval.json`;
  return `${outputDir}/eval_logs/eval_step_${String(evaluation.step).padStart(4, '0')}.json`;
}

/** What an evaluation prints (requirement G6); the baseline, and what a run without training evaluates (`of`), stand in blocks of their own. */
export function evaluationBlock(evaluation: Evaluation, file: string, of?: string): string {
  const title = evaluation.is_baseline
    ? 'BASELINE EVALUATION (before training)'
    : of === undefined
      ? `Evaluation at step ${evaluation.step}`
      : `EVALUATION of ${of}`;
  const total = evaluation.total_samples;
  const lines = [
    RULE,
    title,
    RULE,
    `  Accuracy: ${fixed(100 * evaluation.accuracy, 2)}% (${evaluation.correct_answers}/${total})`,
    `  Average reward: ${fixed(evaluation.avg_reward, 4)}`,
    `  Median reward: ${fixed(evaluation.median_reward, 4)}`,
    `  Std reward: ${fixed(evaluation.std_reward, 4)}`,
    `  Min reward: ${fixed(evaluation.min_reward, 4)}`,
    `  Max reward: ${fixed(evaluation.max_reward, 4)}`,
    ...optional('  Eval loss', evaluation.eval_loss, (value) => fixed(value, 4)),
    ...optional('  Reward margin', evaluation.reward_margin, (value) => fixed(value, 4)),
    ...optional('  Average score', evaluation.avg_score, (value) => fixed(value, 4)),
    ...optional('  Average hits', evaluation.avg_hits, (value) => fixed(value, 2)),
    ...optional('  Attempted answer', evaluation.attempted_answer, (count) => `${count}/${total}`),
    ...optional('  Found correct profile', evaluation.found_correct_profile, (count) => `${count}/${total}`),
    ...optional('  Read correct profile', evaluation.read_correct_profile, (count) => `${count}/${total}`),
    ...optional('  Average turns', evaluation.avg_turns, (value) => fixed(value, 2)),
    ...optional('  Average search attempts', evaluation.avg_search_attempts, (value) => fixed(value, 2)),
    `  Time: ${evaluation.eval_time.toFixed(1)}s`,
    `Eval stats saved to: ${file}`,
    RULE,
  ];
  return lines.join('\n');
}

function optional(label: string, value: number | undefined, text: (value: number) => string): string[] {
  return value === undefined ? [] : [`${label}: ${text(value)}`];
}

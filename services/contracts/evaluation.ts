import { z } from 'zod';
import { field } from './field.ts';

/**
 * Statistics of one evaluation (requirement M8), as kept in `eval_logs/eval_step_%04d.json` and `baseline_eval.json`.
 * Rubric fields are counts and present only where the environment reports them.
 */
export const evaluationSchema = z
  .strictObject({
    step: field(z.int().min(-1), 'Optimizer step; -1 for the baseline.', 100),
    is_baseline: field(z.boolean(), 'Taken before training.', false),
    accuracy: field(z.number(), 'Share of problems answered correctly.', 0.65),
    correct_answers: field(z.int(), 'Problems answered correctly.', 130),
    total_samples: field(z.int(), 'Problems evaluated.', 200),
    attempted_answer: field(z.int().optional(), 'Problems in which an answer was attempted.', 198),
    avg_reward: field(z.number(), 'Mean reward.', 0.65),
    median_reward: field(z.number(), 'Median reward.', 1),
    std_reward: field(z.number(), 'Population standard deviation of the rewards.', 0.477),
    min_reward: field(z.number(), 'Lowest reward.', 0),
    max_reward: field(z.number(), 'Highest reward.', 1),
    avg_score: field(z.number().optional(), 'Mean rubric score.', 0.7),
    avg_hits: field(z.number().optional(), 'Mean number of correct handles found.', 1.2),
    found_correct_profile: field(z.int().optional(), 'Problems in which the correct profile was found.', 12),
    read_correct_profile: field(z.int().optional(), 'Problems in which the correct profile was read.', 10),
    avg_turns: field(z.number().optional(), 'Mean number of turns.', 3.5),
    avg_search_attempts: field(z.number().optional(), 'Mean number of searches.', 2.1),
    eval_loss: field(
      z.number().optional(),
      'Mean loss on the validation set: per target token (SFT), per preference pair (DPO).',
      0.42,
    ),
    reward_margin: field(
      z.number().optional(),
      'Mean margin of the implicit rewards, chosen less rejected (DPO); its rewards are the margins.',
      0.8,
    ),
    eval_time: field(z.number(), 'Seconds the evaluation took.', 3.2),
    timestamp: field(z.iso.datetime().optional(), 'When the baseline was taken.', '2026-11-20T09:00:00.000Z'),
  })
  .meta({ id: 'Evaluation', description: 'Statistics of one evaluation.' });

export type Evaluation = z.infer<typeof evaluationSchema>;

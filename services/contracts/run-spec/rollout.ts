import { z } from 'zod';
import { field } from '../field.ts';
import { positiveInt } from './bounds.ts';

export const rolloutSpecSchema = z
  .strictObject({
    num_rollouts: field(
      positiveInt().max(1024).default(4),
      'Completions per task, the GRPO group; 4 to 8 is usual, 1 learns nothing.',
      4,
    ),
    max_turns: field(positiveInt().default(1), 'Turns of an episode at most.', 15),
    concurrency: field(positiveInt().max(4096).default(4), 'Tasks in flight at a time.', 4),
    temperature: field(
      z.number().min(0).max(10).default(1),
      'Sampling temperature of rollouts; evaluation is greedy.',
      1,
    ),
    max_new_tokens: field(positiveInt().default(256), 'Longest completion in tokens.', 256),
  })
  .meta({ id: 'RolloutSpec', description: 'How completions are made.' });

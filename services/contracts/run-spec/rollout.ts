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
    max_staleness: field(
      z.int().min(0).max(64, 'each version may stay in the memory of the server').default(0),
      'Policy versions by which rollouts may be older than the policy that learns from them. 0: each step waits for its rollouts; 1 and more: rollouts go on while ' +
        'it is trained, up to so many steps ahead. A vLLM of your own then needs --max-loras 2 + max_staleness.',
      1,
    ),
    temperature: field(
      z.number().min(0).max(10).default(1),
      'Sampling temperature of rollouts; evaluation is greedy.',
      1,
    ),
    max_new_tokens: field(positiveInt().default(256), 'Longest completion in tokens.', 256),
  })
  .meta({ id: 'RolloutSpec', description: 'How completions are made.' });

import { z } from 'zod';
import { field } from '../field.ts';
import { positiveInt } from './bounds.ts';

export const checkpointSpecSchema = z
  .strictObject({
    resume_from_checkpoint: field(
      z.string().min(1).nullable().default(null),
      'Start from this checkpoint: `runs/<id>/<checkpoint>` or a path such as `outputs/grpo_cua/checkpoints/checkpoint-500`.',
      null,
    ),
    ignore_data_skip: field(
      z.boolean().default(false),
      'On resume start the data from its beginning instead of where it stopped.',
      false,
    ),
    keep_best: field(
      positiveInt().max(1000).default(1),
      'How many of the checkpoints that were the best when they were saved stay, besides `save_total_limit`.',
      3,
    ),
    keep_every: field(
      positiveInt().nullable().default(null),
      'Keep each checkpoint whose step is a multiple of this, besides `save_total_limit`; null: none.',
      500,
    ),
  })
  .meta({ id: 'CheckpointSpec', description: 'Where it starts from, and what stays.' });

import { z } from 'zod';
import { field } from '../field.ts';

export const environmentSpecSchema = z
  .strictObject({
    type: field(
      z.enum(['single_turn']).default('single_turn'),
      '`single_turn`: one prompt of the data set, one completion, one reward.',
      'single_turn',
    ),
    system_prompt: field(z.string().nullable().default(null), 'System message put before each prompt.', null),
  })
  .meta({ id: 'EnvironmentSpec', description: 'What the model acts in.' });

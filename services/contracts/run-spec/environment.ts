import { z } from 'zod';
import { field } from '../field.ts';

export const rewardNames = ['exact', 'numeric'] as const;
export const rewardSchema = z
  .strictObject({
    name: field(
      z.enum(rewardNames),
      '`exact`: the trimmed completion equals the answer. `numeric`: the last number in it equals the answer.',
      'exact',
    ),
    weight: field(z.number().default(1), 'Factor in the sum of rewards.', 1),
  })
  .meta({ id: 'RewardSpec', description: 'How a completion is scored.' });

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

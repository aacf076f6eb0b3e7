import { z } from 'zod';
import { field } from '../field.ts';

export const dataSpecSchema = z
  .strictObject({
    train_data: field(
      z.string().min(1).nullable().default(null),
      'Training set: a JSONL file of `{prompt | messages, completion | answer}`.',
      'data/train.jsonl',
    ),
    val_data: field(
      z.string().min(1).nullable().default(null),
      'Validation set in the same format; null: no validation.',
      'data/val.jsonl',
    ),
    shuffle: field(z.boolean().default(true), 'Shuffle each epoch, by the seed.', true),
  })
  .meta({ id: 'DataSpec', description: 'What it learns from.' });

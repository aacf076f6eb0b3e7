import { z } from 'zod';
import { field } from '../field.ts';

const column = (name: string, example: string | null = null) =>
  field(
    z.string().min(1).nullable().default(null),
    `Column that holds the ${name}; null: the one of that name.`,
    example,
  );

export const dataColumnsSchema = z
  .strictObject({
    id: column('id of a row'),
    prompt: column('prompt', 'question'),
    messages: column('conversation', 'conversations'),
    completion: column('completion', 'response'),
    answer: column('answer'),
    chosen: column('answer that was preferred (DPO)'),
    rejected: column('answer that was not (DPO)'),
  })
  .meta({ id: 'DataColumns', description: 'Names of columns that differ from those Tandem knows.' });

export const dataSpecSchema = z
  .strictObject({
    train_data: field(
      z.string().min(1).nullable().default(null),
      'Training set: a JSONL, JSON, CSV or TSV file, or a directory of them, with `{prompt | messages, completion | answer}` in each row; for DPO `{prompt, chosen, rejected}`.',
      'data/train.jsonl',
    ),
    val_data: field(
      z.string().min(1).nullable().default(null),
      'Validation set in the same format; null: no validation.',
      'data/val.jsonl',
    ),
    columns: field(
      dataColumnsSchema.prefault({}),
      'Where the columns of the data have other names: ours on the left, theirs on the right.',
      { prompt: 'question' },
    ),
    on_invalid: field(
      z.enum(['stop', 'skip']).default('stop'),
      'Rows that cannot be used, such as broken lines and prompts that are too long: `stop` before training, or `skip` them, counted and named.',
      'skip',
    ),
    shuffle: field(z.boolean().default(true), 'Shuffle each epoch, by the seed.', true),
  })
  .meta({ id: 'DataSpec', description: 'What it learns from.' });

import { z } from 'zod';
import { field } from './field.ts';
import { runIdSchema } from './run.ts';
import { methodSchema } from './run-spec.ts';

const value = (description: string, example: number) => field(z.number().nullable(), description, example);

/** What a measure did over a run. Values that are not finite are counted and otherwise left out. */
export const statisticsSchema = z
  .strictObject({
    count: field(z.int(), 'Entries.', 150),
    not_finite: field(z.int(), 'Those of them that have no finite number.', 0),
    first: value('First value.', 1.92),
    last: value('Last value.', 0.41),
    mean: value('Mean.', 0.78),
    variance: value('Variance of the sample; null below two values.', 0.12),
    min: value('Lowest value.', 0.39),
    max: value('Highest value.', 2.01),
    best: field(
      z
        .strictObject({ step: field(z.number(), 'Where.', 1200), value: field(z.number(), 'What.', 0.39) })
        .meta({ id: 'BestValue' })
        .nullable(),
      'The lowest or the highest, as the measure has it; null where neither is better.',
      { step: 1200, value: 0.39 },
    ),
    trend: field(
      z
        .strictObject({
          per_1000_steps: field(z.number(), 'What the value gains in 1000 steps.', -0.031),
          direction: field(
            z.enum(['rising', 'falling', 'flat']),
            '`flat` when the slope is within twice its standard error.',
            'falling',
          ),
          from_step: field(z.number(), 'From which step on it was looked at.', 760),
        })
        .meta({ id: 'Trend' })
        .nullable(),
      'A line through the later half of the steps, by least squares; null when there are too few entries.',
      { per_1000_steps: -0.031, direction: 'falling', from_step: 760 },
    ),
  })
  .meta({ id: 'Statistics', description: 'What a measure did over a run.' });
export type Statistics = z.infer<typeof statisticsSchema>;

/** GET /compare. */
export const comparisonSchema = z
  .strictObject({
    runs: field(
      z.array(
        z
          .strictObject({
            id: field(runIdSchema, 'The run.', 'run-7k3m9q2d'),
            title: field(z.string(), 'Its id and name.', 'run-7k3m9q2d addition'),
            method: field(methodSchema, 'Training method.', 'grpo'),
            best: field(
              z.record(z.string(), z.unknown()).nullable(),
              'Its best checkpoint, as the training log has it; null before the first.',
              { step: 80, epoch: 1.6, samples: 1280, val_reward: 0.91, path: 'outputs/run-7k3m9q2d/best_model' },
            ),
            statistics: field(
              z.record(z.string(), statisticsSchema),
              'By key of the histories of its training log: `loss`, `val_reward`.',
              {},
            ),
          })
          .meta({ id: 'ComparedRun' }),
      ),
      'In the order they were asked for.',
      [],
    ),
    settings: field(
      z.array(
        z
          .strictObject({
            key: field(z.string(), 'Key of the resolved spec.', 'training.learning_rate'),
            values: field(z.array(z.unknown()), 'Its value in each run, null where a run has none.', [1e-5, 3e-5]),
            differs: field(z.boolean(), 'Whether the runs differ in it.', true),
          })
          .meta({ id: 'ComparedSetting' }),
      ),
      'Those that differ come first.',
      [],
    ),
  })
  .meta({ id: 'Comparison', description: 'Several runs side by side.' });
export type ComparisonBody = z.infer<typeof comparisonSchema>;

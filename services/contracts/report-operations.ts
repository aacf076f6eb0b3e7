import { z } from 'zod';
import { comparisonSchema } from './comparison.ts';
import { field } from './field.ts';
import { operation } from './operation.ts';
import { runParams } from './operation-parts.ts';
import { plotNames } from './plot-names.ts';
import { runIdSchema } from './run.ts';

const plotFiles = plotNames.flatMap((name) => [`${name}.png`, `${name}.svg`] as const);

const historyCsv = (which: 'train' | 'val', what: string) =>
  operation({
    method: 'get',
    path: `/runs/{id}/${which}-history.csv`,
    tag: 'reports',
    summary: `The ${what} history of a run as CSV`,
    description:
      `\`${which}_history\` of its training log, a column for each key; an empty cell was not recorded or is no finite number. Texts that a spreadsheet ` +
      'would take for a formula begin with an apostrophe.',
    params: runParams,
    responses: [{ status: 200, description: 'The rows.', media: ['text/csv'] }],
    problems: ['invalid-request', 'not-found', 'too-many-requests'],
  });

const historySchema = z.array(z.record(z.string(), z.union([z.number(), z.string(), z.null()])));
const trainingLogSchema = z
  .looseObject({
    config: field(z.record(z.string(), z.unknown()), "What was trained how, by the scripts' names.", { batch_size: 4 }),
    train_history: field(historySchema, 'By step.', [{ step: 10, epoch: 0.5, loss: 0.234, learning_rate: 1e-5 }]),
    val_history: field(historySchema, 'By step; empty without evaluations.', [
      { step: 100, epoch: 1, eval_loss: 0.21 },
    ]),
  })
  .meta({ id: 'TrainingLog', description: '`training_log.json`; what was best stands beside, by the method.' });

/** How a run went: its training log, in numbers, pictures and pages. */
export const reportOperations = {
  getTrainingLog: operation({
    method: 'get',
    path: '/runs/{id}/training-log',
    tag: 'reports',
    summary: 'The training log of a run',
    description:
      '`training_log.json` as the tree of the run has it: `config`, `train_history`, `val_history` and what was best, by the keys of its method. Made from ' +
      'the records, so it is there without the file, and up to date.',
    params: runParams,
    responses: [{ status: 200, description: 'The log.', body: trainingLogSchema }],
    problems: ['invalid-request', 'not-found', 'too-many-requests'],
  }),
  getTrainHistory: historyCsv('train', 'training'),
  getValHistory: historyCsv('val', 'validation'),
  getPlot: operation({
    method: 'get',
    path: '/runs/{id}/plots/{file}',
    tag: 'reports',
    summary: 'A picture of how a run went',
    description:
      'Raw and smoothed curves of training, evaluations, the best checkpoint and resumes. `reward_curve` also shows the components of the reward (GRPO), or ' +
      'accuracy and margin (DPO). A picture that the log has no numbers for is a 404 that names those there are.',
    params: runParams.extend({ file: field(z.enum(plotFiles), 'Which picture, and its format.', 'loss_curve.png') }),
    responses: [{ status: 200, description: 'The picture.', media: ['image/png', 'image/svg+xml'] }],
    problems: ['invalid-request', 'not-found', 'too-many-requests'],
  }),
  getReport: operation({
    method: 'get',
    path: '/runs/{id}/report',
    tag: 'reports',
    summary: 'A run on one page',
    description:
      'HTML with its curves, statistics, validations and configuration. It has no script and needs nothing else, so it can be saved and sent.',
    params: runParams,
    query: z.object({
      refresh: field(
        z.coerce.number().int().min(2).max(3600).optional(),
        'Seconds after which a browser asks for it again, to watch a run that goes on; by default never.',
        10,
      ),
    }),
    responses: [{ status: 200, description: 'The page.', media: ['text/html'] }],
    problems: ['invalid-request', 'not-found', 'too-many-requests'],
  }),
  compareRuns: operation({
    method: 'get',
    path: '/compare',
    tag: 'reports',
    summary: 'Several runs side by side',
    description:
      'Their settings, those that differ first, and mean, variance, trend and best of what they measured. As text/html (what a browser asks for) a page ' +
      'that also overlays their curves.',
    query: z.object({
      runs: field(
        z
          .string()
          .max(200)
          .transform((text) => [...new Set(text.split(',').map((id) => id.trim()))])
          .pipe(
            z.array(runIdSchema).min(2, 'comparing takes two runs or more').max(10, 'ten runs are compared at most'),
          )
          .meta({ override: { type: 'string' } }),
        'Ids of two to ten runs, separated by commas.',
        'run-7k3m9q2d,run-1a2b3c4d',
      ),
    }),
    responses: [
      { status: 200, description: 'The comparison.', body: comparisonSchema },
      { status: 200, description: 'As text/html: the page.', media: ['text/html'] },
    ],
    problems: ['invalid-request', 'not-found', 'too-many-requests'],
  }),
} as const;

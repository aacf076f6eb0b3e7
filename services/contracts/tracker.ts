import { z } from 'zod';
import { field } from './field.ts';
import { operation } from './operation.ts';
import { runParams } from './operation-parts.ts';

export const trackerKinds = ['wandb', 'tensorboard', 'mlflow'] as const;
export type TrackerKind = (typeof trackerKinds)[number];

/**
 * `waiting`: nothing to show yet. `live`: it follows the run. `behind`: it could not be reached or written, and is tried again. `refused`: it does not
 * take what is sent, which takes a change of settings. `finished`: the run has ended and it holds everything.
 */
export const trackerStates = ['waiting', 'live', 'behind', 'refused', 'finished'] as const;

export const trackerStatusSchema = z
  .strictObject({
    kind: field(z.enum(trackerKinds), 'Which tracker.', 'wandb'),
    state: field(
      z.enum(trackerStates),
      '`waiting`: nothing to show yet; `live`: follows the run; `behind`: could not be reached, tried again; `refused`: needs a change of settings; ' +
        '`finished`: the run has ended and it holds everything.',
      'live',
    ),
    mode: field(
      z.enum(['new', 'same']).nullable(),
      'How a resume is shown: in a new run of the tracker, or in the same one. null: the tracker has no runs.',
      'new',
    ),
    run_id: field(z.string().nullable(), 'Id of the run there; null before it is made.', 'run-7k3m9q2d'),
    run_name: field(z.string().nullable(), 'Its name there.', 'grpo-qwen3vl-32b'),
    project: field(z.string().nullable(), 'Project or experiment it lies in.', 'your-entity/cua-grpo'),
    url: field(
      z.string().nullable(),
      'Where people look at it; for files, their directory.',
      'http://127.0.0.1:8082/your-entity/cua-grpo/runs/run-7k3m9q2d',
    ),
    last_step: field(z.int().nullable(), 'Step of the newest row that it has.', 120),
    last_record: field(z.string().nullable(), 'Record it has come to, as `<attempt>:<number>`.', '2:417'),
    backlog: field(z.int().min(0), 'Records of the run that it has not come to.', 0),
    last_sent_at: field(z.iso.datetime().nullable(), 'When it last took something.', '2026-11-20T09:00:00.000Z'),
    last_error: field(
      z
        .strictObject({
          time: field(z.iso.datetime(), 'When.', '2026-11-20T09:00:00.000Z'),
          message: field(z.string(), 'What went wrong, and what helps.', 'W&B answered 503; it is tried again.'),
        })
        .nullable()
        .meta({ id: 'TrackerError' }),
      'What went wrong since it last took something.',
      null,
    ),
  })
  .meta({ id: 'TrackerStatus', description: 'How far a tracker is with a run.' });
export type TrackerStatus = z.infer<typeof trackerStatusSchema>;

/** What trackers are asked. */
export const trackerOperations = {
  listTrackers: operation({
    method: 'get',
    path: '/runs/{id}/trackers',
    tag: 'watching',
    summary: 'How far W&B, TensorBoard and MLflow are with a run',
    description:
      'Those that the spec of the run turns on, while it goes and after its end. Trackers work beside training: one that hangs or refuses costs the ' +
      'trainer nothing, and gets everything once it takes it.',
    params: runParams,
    responses: [
      {
        status: 200,
        description: 'Trackers of the run.',
        body: z
          .strictObject({ trackers: field(z.array(trackerStatusSchema), 'One for each that is on.', []) })
          .meta({ id: 'TrackerList' }),
      },
    ],
    problems: ['invalid-request', 'not-found'],
  }),
} as const;

import { z } from 'zod';
import { field } from './field.ts';
import { operation } from './operation.ts';
import { flag, idempotency, JSON_OR_YAML, next, page, runBody, runParams } from './operation-parts.ts';
import { runSchema, runStatusSchema, runSummarySchema } from './run.ts';
import { methodSchema, runSpecSchema } from './run-spec.ts';

/** POST /runs/{id}/resume. */
export const resumeRequestSchema = z
  .strictObject({
    from: field(
      z.string().min(1).max(512).default('latest'),
      "`latest`, `best`, `final`, `checkpoint-<step>`, `a<attempt>/checkpoint-<step>`, or a path of the run's tree.",
      'latest',
    ),
    overrides: field(z.record(z.string(), z.unknown()).default({}), 'Keys of the run spec to change from here on.', {
      training: { max_steps: 400 },
    }),
    fork: field(z.boolean().default(false), 'Continue as a new run and leave this one as it is.', false),
  })
  .meta({ id: 'ResumeRequest', description: 'How to resume.' });

export const dryRunSchema = z
  .strictObject({
    spec: field(runSpecSchema, 'The resolved spec.', { model: { name: 'Qwen/Qwen3-VL-32B-Instruct' } }),
    renamed: field(z.record(z.string(), z.string()), 'Older spellings that were used, and what they mean.', {
      lora_r: 'model.lora.r',
    }),
    warnings: field(z.array(z.string()), 'Hints; none stops the run.', []),
    placement: field(
      z
        .strictObject({
          profile: field(z.string(), 'GPU profile.', 'cpu'),
          roles: field(
            z.array(
              z
                .strictObject({
                  role: field(z.enum(['inference', 'trainer']), 'Which of the pair.', 'trainer'),
                  gpus: field(
                    z.array(z.string()),
                    'GPU UUIDs that it would get now, or on an idle host where it would have to wait.',
                    [],
                  ),
                  command: field(z.array(z.string()), 'Program and arguments.', ['node', 'trainer/main.js']),
                })
                .meta({ id: 'PlannedRole' }),
            ),
            'What would be started, in order.',
            [],
          ),
        })
        .meta({ id: 'Placement' }),
      'Where it would run.',
      { profile: 'cpu', roles: [] },
    ),
    output_dir: field(z.string(), 'Its tree on the host.', 'outputs/<run id>'),
    continues: field(z.string().nullable(), 'Checkpoint found in `output_dir` that it would continue from.', null),
  })
  .meta({ id: 'DryRun', description: 'What a submission would do.' });

/** Submitting runs and steering them. */
export const runOperations = {
  createRun: operation({
    method: 'post',
    path: '/runs',
    tag: 'runs',
    summary: 'Submit a run',
    description:
      'Checks the spec, puts the run into the queue and answers at once. When `training.output_dir` already belongs to an ended run, ' +
      'that run is continued from its latest checkpoint (200), unless `training.start_fresh` is set.',
    query: z.object({ dry_run: flag('Only say what would happen.') }),
    headers: idempotency,
    body: {
      schema: z.unknown(),
      documented: runSpecSchema,
      media: JSON_OR_YAML,
      required: true,
    },
    responses: [
      runBody(201, 'The run, queued.'),
      {
        status: 200,
        description: 'With `dry_run`: the resolved spec and the plan. Otherwise the run that is continued.',
        body: z.union([dryRunSchema, runSchema]),
      },
    ],
    problems: [
      'invalid-request',
      'invalid-spec',
      'cannot-place',
      'checkpoint-unusable',
      'conflict',
      'idempotency-mismatch',
      'payload-too-large',
      'unsupported-media-type',
      'unavailable',
    ],
  }),
  listRuns: operation({
    method: 'get',
    path: '/runs',
    tag: 'runs',
    summary: 'List runs, newest first',
    query: z.object({
      status: field(runStatusSchema.optional(), 'Only runs with this status.', 'running'),
      method: field(methodSchema.optional(), 'Only runs of this method.', 'grpo'),
      label: field(z.string().max(320).optional(), 'Only runs with this label, as `key=value`.', 'team=agents'),
      ...page,
    }),
    responses: [
      {
        status: 200,
        description: 'A page of runs.',
        body: z
          .strictObject({ runs: field(z.array(runSummarySchema), 'Newest first.', []), next })
          .meta({ id: 'RunPage' }),
      },
    ],
    problems: ['invalid-request'],
  }),
  getRun: operation({
    method: 'get',
    path: '/runs/{id}',
    tag: 'runs',
    summary: 'A run with its attempts, progress and reason',
    params: runParams,
    responses: [runBody(200, 'The run.')],
    problems: ['invalid-request', 'not-found'],
  }),
  resumeRun: operation({
    method: 'post',
    path: '/runs/{id}/resume',
    tag: 'runs',
    summary: 'Resume a run from one of its checkpoints',
    params: runParams,
    headers: idempotency,
    body: { schema: resumeRequestSchema, media: JSON_OR_YAML, required: false },
    responses: [runBody(200, 'The run, queued again.'), runBody(201, 'With `fork`: the new run.')],
    problems: [
      'invalid-request',
      'not-found',
      'invalid-spec',
      'cannot-place',
      'checkpoint-unusable',
      'conflict',
      'idempotency-mismatch',
      'payload-too-large',
      'unsupported-media-type',
      'unavailable',
    ],
  }),
  pauseRun: operation({
    method: 'post',
    path: '/runs/{id}/pause',
    tag: 'runs',
    summary: 'Save a checkpoint, then stop until resumed',
    params: runParams,
    responses: [runBody(202, 'The run; it is paused once its checkpoint is committed.')],
    problems: ['invalid-request', 'not-found', 'conflict', 'unavailable'],
  }),
  cancelRun: operation({
    method: 'post',
    path: '/runs/{id}/cancel',
    tag: 'runs',
    summary: 'Save a checkpoint, then end the run',
    params: runParams,
    responses: [runBody(202, 'The run; it is cancelled once its checkpoint is committed.')],
    problems: ['invalid-request', 'not-found', 'conflict', 'unavailable'],
  }),
  deleteRun: operation({
    method: 'delete',
    path: '/runs/{id}',
    tag: 'runs',
    summary: 'Delete an ended run, its records and its checkpoints',
    params: runParams,
    responses: [{ status: 204, description: 'It is gone.', media: [] }],
    problems: ['invalid-request', 'not-found', 'conflict', 'unavailable'],
  }),
} as const;

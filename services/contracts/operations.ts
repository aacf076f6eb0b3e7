import { z } from 'zod';
import { checkpointSchema } from './checkpoint.ts';
import { importReportSchema, importRequestSchema, retentionReportSchema } from './checkpoint-requests.ts';
import { evaluationSchema } from './evaluation.ts';
import { runEventSchema } from './event.ts';
import { field } from './field.ts';
import { operation } from './operation.ts';
import { componentSchema, logRecordSchema, metricValueSchema } from './record.ts';
import { runIdSchema, runSchema, runStatusSchema, runSummarySchema } from './run.ts';
import { logLevelSchema, methodSchema, runSpecSchema } from './run-spec.ts';

/**
 * The public API, as data. `openapi/openapi.yaml`, the generated client types and the server's routes all come from this table.
 */
const JSON_OR_YAML = ['application/json', 'application/yaml'] as const;
const SSE = 'text/event-stream';
const FILE_MEDIA = ['application/octet-stream', 'application/json', 'text/plain'] as const;

const runParams = z.object({ id: field(runIdSchema, 'Id of the run.', 'run-7k3m9q2d') });
const checkpointName = field(
  z
    .string()
    .regex(
      /^(latest|best|final|checkpoint-\d+|a\d+\/checkpoint-\d+)$/,
      'latest, best, final, checkpoint-<step> or a<attempt>/checkpoint-<step>',
    ),
  '`latest`, `best`, `final`, `checkpoint-<step>` on the lineage, or `a<attempt>/checkpoint-<step>` (with the slash as %2F).',
  'latest',
);
const idempotency = z.object({
  'idempotency-key': field(
    z.string().min(1).max(200).optional(),
    'Repeating an accepted request with the same key within 24 hours answers what the first one answered, and does nothing again.',
    '0d1c8f5e-submit-7',
  ),
});
/** A query parameter that is `true` or `false`, absent means false. */
const flag = (description: string) =>
  z
    .stringbool({ truthy: ['true', '1'], falsy: ['false', '0'] })
    .default(false)
    .meta({ description, example: true, override: { type: 'boolean', default: false } });
const follow = {
  follow: flag(
    'Stream as server-sent events: what there is, then what comes, until the run has ended. Resumes from `Last-Event-ID`.',
  ),
};
const lastEventId = z.object({
  'last-event-id': field(
    z.string().max(100).optional(),
    'Id of the last event that was received; the stream goes on after it.',
    '12',
  ),
});
const page = {
  limit: field(z.coerce.number().int().min(1).max(1000).default(50), 'Rows of a page.', 50),
  cursor: field(z.string().max(200).optional(), '`next` of the page before.', 'MjAyNi0xMS0yMA'),
};
const next = field(z.string().nullable(), 'Cursor of the next page; null on the last.', null);

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
                  gpus: field(z.array(z.string()), 'GPU UUIDs.', []),
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

/** The status that makes an EventSource stop reconnecting. */
const nothingLeft = {
  status: 204,
  description: 'With `follow` and `Last-Event-ID`: the run has ended and everything was sent.',
  media: [],
} as const;

const runBody = (status: number, description: string) => ({ status, description, body: runSchema }) as const;

export const operations = {
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
  listEvents: operation({
    method: 'get',
    path: '/runs/{id}/events',
    tag: 'watching',
    summary: 'What happened to a run and why',
    params: runParams,
    query: z.object({
      after: field(z.coerce.number().int().min(0).default(0), 'Only events after this id.', 0),
      limit: field(z.coerce.number().int().min(1).max(1000).default(200), 'Events at most.', 200),
      ...follow,
    }),
    headers: lastEventId,
    responses: [
      {
        status: 200,
        description: 'Events, oldest first.',
        body: z.strictObject({ events: field(z.array(runEventSchema), 'Oldest first.', []) }).meta({ id: 'EventPage' }),
      },
      { status: 200, description: 'With `follow`: a stream of events.', media: [SSE] },
      nothingLeft,
    ],
    problems: ['invalid-request', 'not-found', 'too-many-requests'],
  }),
  getLogs: operation({
    method: 'get',
    path: '/runs/{id}/logs',
    tag: 'watching',
    summary: 'Log lines by component and level',
    params: runParams,
    query: z.object({
      component: field(componentSchema.optional(), 'Only this component.', 'training'),
      level: field(logLevelSchema.default('DEBUG'), 'Only this severity and above.', 'INFO'),
      attempt: field(z.coerce.number().int().min(1).optional(), 'Only this attempt.', 1),
      tail: field(z.coerce.number().int().min(0).max(10_000).default(200), 'The last so many lines.', 100),
      ...follow,
    }),
    headers: lastEventId,
    responses: [
      {
        status: 200,
        description: 'Lines, oldest first.',
        body: z
          .strictObject({
            lines: field(
              z.array(
                z
                  .strictObject({ attempt: field(z.int(), 'Attempt.', 1), ...logRecordSchema.shape })
                  .meta({ id: 'LogLine' }),
              ),
              'Oldest first.',
              [],
            ),
          })
          .meta({ id: 'LogPage' }),
      },
      {
        status: 200,
        description: 'With `follow`: a stream of lines. As text/plain: lines as a terminal shows them.',
        media: [SSE, 'text/plain'],
      },
      nothingLeft,
    ],
    problems: ['invalid-request', 'not-found', 'too-many-requests'],
  }),
  getMetrics: operation({
    method: 'get',
    path: '/runs/{id}/metrics',
    tag: 'watching',
    summary: 'Metrics by name and step range, downsampled',
    params: runParams,
    query: z.object({
      names: field(
        z.string().max(2000).optional(),
        'Comma-separated names; all by default.',
        'train/loss,eval/accuracy',
      ),
      from_step: field(z.coerce.number().int().min(0).default(0), 'First step.', 0),
      to_step: field(z.coerce.number().int().min(0).optional(), 'Last step.', 1000),
      points: field(
        z.coerce.number().int().min(2).max(10_000).default(500),
        'Points per series at most; more are averaged in buckets of equal width.',
        500,
      ),
      ...follow,
    }),
    headers: lastEventId,
    responses: [
      {
        status: 200,
        description: 'A series for each name, on the clean axis: what a resume superseded is left out.',
        body: z
          .strictObject({
            series: field(
              z.array(
                z
                  .strictObject({
                    name: field(z.string(), 'Metric.', 'train/loss'),
                    steps: field(z.array(z.number()), 'Steps.', [10, 20]),
                    values: field(z.array(metricValueSchema), 'Values, one per step.', [0.5, 0.4]),
                  })
                  .meta({ id: 'Series' }),
              ),
              'By name.',
              [],
            ),
          })
          .meta({ id: 'Metrics' }),
      },
      { status: 200, description: 'With `follow`: a stream of metric records.', media: [SSE] },
      nothingLeft,
    ],
    problems: ['invalid-request', 'not-found', 'too-many-requests'],
  }),
  listEvaluations: operation({
    method: 'get',
    path: '/runs/{id}/evals',
    tag: 'watching',
    summary: 'Evaluations, by step',
    params: runParams,
    responses: [
      {
        status: 200,
        description: 'Evaluations on the clean axis, the baseline first.',
        body: z
          .strictObject({ evaluations: field(z.array(evaluationSchema), 'By step.', []) })
          .meta({ id: 'EvaluationList' }),
      },
    ],
    problems: ['invalid-request', 'not-found'],
  }),
  getArchive: operation({
    method: 'get',
    path: '/runs/{id}/archive',
    tag: 'watching',
    summary: 'Config, records, logs and evaluations of a run as one archive',
    description:
      'A tar.gz with `archive.json` (up to which record it reaches), `run.json`, `spec.json`, `evaluations.json`, `checkpoints.json` (without ' +
      'their files), `events.jsonl`, `records/a<attempt>.jsonl` and `logs/`. It shows the run as it was when the request came, also while the ' +
      'run goes on. A transfer that breaks off is not a shorter archive: the gzip stream then has no end.',
    params: runParams,
    responses: [{ status: 200, description: 'The archive.', media: ['application/gzip'] }],
    problems: ['invalid-request', 'not-found', 'too-many-requests'],
  }),
  setLogging: operation({
    method: 'patch',
    path: '/runs/{id}/logging',
    tag: 'watching',
    summary: 'Change log levels of a live run',
    params: runParams,
    body: {
      schema: z
        .strictObject({
          rollout_log_level: field(logLevelSchema.optional(), 'Level of rollouts.', 'DEBUG'),
          training_log_level: field(logLevelSchema.optional(), 'Level of training.', 'INFO'),
          eval_log_level: field(logLevelSchema.optional(), 'Level of evaluation.', 'INFO'),
        })
        .meta({ id: 'LoggingChange', description: 'Levels to change.' }),
      media: JSON_OR_YAML,
      required: true,
    },
    responses: [runBody(200, 'The run; the trainer takes the levels with its next report.')],
    problems: [
      'invalid-request',
      'not-found',
      'conflict',
      'payload-too-large',
      'unsupported-media-type',
      'unavailable',
    ],
  }),
  listCheckpoints: operation({
    method: 'get',
    path: '/runs/{id}/checkpoints',
    tag: 'checkpoints',
    summary: 'Checkpoints of a run, newest first',
    params: runParams,
    responses: [
      {
        status: 200,
        description: 'Checkpoints.',
        body: z
          .strictObject({ checkpoints: field(z.array(checkpointSchema), 'Newest first.', []) })
          .meta({ id: 'CheckpointList' }),
      },
    ],
    problems: ['invalid-request', 'not-found'],
  }),
  getCheckpoint: operation({
    method: 'get',
    path: '/runs/{id}/checkpoints/{name}',
    tag: 'checkpoints',
    summary: 'A checkpoint with its files',
    params: runParams.extend({ name: checkpointName }),
    responses: [{ status: 200, description: 'The checkpoint.', body: checkpointSchema }],
    problems: ['invalid-request', 'not-found'],
  }),
  deleteCheckpoint: operation({
    method: 'delete',
    path: '/runs/{id}/checkpoints/{name}',
    tag: 'checkpoints',
    summary: 'Delete a checkpoint',
    description:
      'Refused for what is pinned, for what a run under way, queued or paused starts from, resumes from or trains on, and for what a fork has ' +
      'inherited, which is deleted from the run that saved it.',
    params: runParams.extend({ name: checkpointName }),
    responses: [{ status: 204, description: 'It is gone.', media: [] }],
    problems: ['invalid-request', 'not-found', 'conflict', 'unavailable'],
  }),
  pinCheckpoint: operation({
    method: 'post',
    path: '/runs/{id}/checkpoints/{name}/pin',
    tag: 'checkpoints',
    summary: 'Keep a checkpoint, whatever retention says',
    description:
      'The pin lies beside the checkpoint in the object store, so it survives the database. What a fork has inherited is pinned in the run that saved it.',
    params: runParams.extend({ name: checkpointName }),
    responses: [{ status: 200, description: 'The checkpoint, pinned.', body: checkpointSchema }],
    problems: ['invalid-request', 'not-found', 'conflict', 'unavailable'],
  }),
  unpinCheckpoint: operation({
    method: 'delete',
    path: '/runs/{id}/checkpoints/{name}/pin',
    tag: 'checkpoints',
    summary: 'Leave a checkpoint to retention again',
    params: runParams.extend({ name: checkpointName }),
    responses: [{ status: 200, description: 'The checkpoint, no longer pinned.', body: checkpointSchema }],
    problems: ['invalid-request', 'not-found', 'conflict', 'unavailable'],
  }),
  pruneCheckpoints: operation({
    method: 'post',
    path: '/runs/{id}/checkpoints/prune',
    tag: 'checkpoints',
    summary: 'Apply retention now, or see what it would do',
    description:
      'Retention runs by itself after each save; this does the same. `dry_run=true` only answers what would stay and go, and why.',
    params: runParams,
    query: z.object({ dry_run: flag('Change nothing.') }),
    responses: [{ status: 200, description: 'What stays and what goes.', body: retentionReportSchema }],
    problems: ['invalid-request', 'not-found', 'unavailable'],
  }),
  getCheckpointArchive: operation({
    method: 'get',
    path: '/runs/{id}/checkpoints/{name}/archive',
    tag: 'checkpoints',
    summary: 'A checkpoint as one tar file',
    description:
      'Streamed from the store without a temporary file; `manifest.json` comes first, and each file is checked against it. A transfer that breaks ' +
      'off before its Content-Length met a damaged file or a store that failed; what was damaged never comes whole.',
    params: runParams.extend({ name: checkpointName }),
    responses: [
      { status: 200, description: 'A tar file with one folder, `<run>-<checkpoint>/`.', media: ['application/x-tar'] },
    ],
    problems: ['invalid-request', 'not-found', 'checkpoint-unusable', 'too-many-requests', 'unavailable'],
  }),
  importCheckpoints: operation({
    method: 'post',
    path: '/checkpoints/import',
    tag: 'checkpoints',
    summary: 'Make a run of checkpoints that lie in a folder',
    description:
      'Takes a checkpoint folder (of Tandem, a PEFT adapter, of the Hugging Face Trainer, or an older layout) or a whole output folder with its logs and evaluations. ' +
      'The files are copied into the store with a manifest. The run is `paused`: resume it, or fork from it.',
    headers: idempotency,
    query: z.object({ dry_run: flag('Change nothing; answer what would be imported.') }),
    body: { schema: importRequestSchema, media: JSON_OR_YAML, required: true },
    responses: [
      { status: 200, description: 'With `dry_run`: what would be imported.', body: importReportSchema },
      { status: 201, description: 'What was imported, and as which run.', body: importReportSchema },
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
  getCheckpointFile: operation({
    method: 'get',
    path: '/runs/{id}/checkpoints/{name}/files/{path+}',
    tag: 'checkpoints',
    summary: 'A file of a checkpoint',
    query: z.object({
      redirect: flag(
        'Answer with a link to the object store where it can be reached (TANDEM_S3_PUBLIC_URL); else the bytes are streamed all the same.',
      ),
    }),
    params: runParams.extend({
      name: checkpointName,
      path: field(z.string().min(1).max(512), 'Path inside the checkpoint.', 'model/adapter_config.json'),
    }),
    headers: z.object({
      range: field(z.string().max(200).optional(), 'One range of bytes.', 'bytes=0-1023'),
      'if-none-match': field(z.string().max(10_000).optional(), 'ETag that is already held.', `"${'a'.repeat(64)}"`),
      'if-range': field(z.string().max(200).optional(), 'ETag the range belongs to.', `"${'a'.repeat(64)}"`),
    }),
    responses: [
      { status: 200, description: 'The bytes; the ETag is their sha256.', media: FILE_MEDIA },
      { status: 206, description: 'The range of bytes that was asked for.', media: FILE_MEDIA },
      { status: 304, description: 'The file is the one that is already held.', media: [] },
      { status: 307, description: 'With `redirect`: the bytes are at `Location`, for an hour.', media: [] },
    ],
    problems: ['invalid-request', 'not-found', 'range-not-satisfiable', 'checkpoint-unusable', 'unavailable'],
  }),
  getHealth: operation({
    method: 'get',
    path: '/healthz',
    tag: 'service',
    summary: 'Whether the process is alive',
    responses: [
      {
        status: 200,
        description: 'It is.',
        body: z
          .strictObject({
            status: field(z.literal('ok'), 'Alive.', 'ok'),
            version: field(z.string(), 'Version of Tandem.', '0.1.0'),
          })
          .meta({ id: 'Health' }),
      },
    ],
    problems: ['invalid-request'],
  }),
  getReadiness: operation({
    method: 'get',
    path: '/readyz',
    tag: 'service',
    summary: 'Whether every running program has been taken over and requests are served',
    responses: [
      {
        status: 200,
        description: 'It is.',
        body: z
          .strictObject({
            status: field(z.literal('ready'), 'Ready.', 'ready'),
            adopted: field(z.int(), 'Programs found running at start and taken over.', 2),
          })
          .meta({ id: 'Readiness' }),
      },
    ],
    problems: ['invalid-request', 'unavailable'],
  }),
} as const;

export type Operations = typeof operations;
export type OperationName = keyof Operations;

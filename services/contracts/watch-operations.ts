import { z } from 'zod';
import { evaluationSchema } from './evaluation.ts';
import { runEventSchema } from './event.ts';
import { field } from './field.ts';
import { operation } from './operation.ts';
import { follow, JSON_OR_YAML, lastEventId, nothingLeft, runBody, runParams, SSE } from './operation-parts.ts';
import { componentSchema, logRecordSchema, metricValueSchema } from './record.ts';
import { logLevelSchema } from './run-spec/logging.ts';

/** What a run does and has done: events, logs, metrics, evaluations, its archive. */
export const watchOperations = {
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
                    unit: field(z.string().nullable(), "Unit of its values; null for another program's own.", '1'),
                    description: field(z.string().nullable(), 'What it means; null as the unit.', 'Mean reward.'),
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
      'their files), `events.jsonl`, `records/a<attempt>.jsonl` and `logs/` (with what the programs printed: `inference.log`, `trainer.out.log`). It shows the run as it was when the request came, also while the ' +
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
          performance_log_level: field(logLevelSchema.optional(), 'Level of performance lines.', 'WARNING'),
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
} as const;

import { z } from 'zod';
import { evaluationSchema } from './evaluation.ts';
import { field } from './field.ts';
import { logLevelSchema } from './run-spec/logging.ts';

/**
 * A record is one numbered line from a trainer. Numbers are consecutive from 1 within an attempt; the appended file of records is the
 * truth that every log file, metric and tracker is rendered from (DESIGN 4.7).
 */
const base = {
  n: field(z.int().min(1), 'Number of the record within its attempt, consecutive from 1.', 17),
  time: field(z.iso.datetime(), 'When it was written, UTC.', '2026-11-20T09:00:00.000Z'),
};

/** A metric value; JSON has no NaN and no infinities, so they travel as words. */
export const metricValueSchema = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]);

export const components = ['training', 'rollout', 'eval', 'performance'] as const;
export const componentSchema = z
  .enum(components)
  .meta({ id: 'Component', description: 'The part of the trainer that speaks.', example: 'training' });
export type Component = z.infer<typeof componentSchema>;

/** How far an evaluation has come. */
export const evaluatedSchema = z
  .strictObject({
    done: field(z.int().min(0), 'Problems that are done.', 40),
    total: field(z.int().min(1), 'Problems in all.', 200),
  })
  .meta({ id: 'Evaluated', description: 'How far an evaluation has come.' });

/** What rollouts do that go on while the policy is trained. */
export const rolloutsProgressSchema = z
  .strictObject({
    state: field(
      z.enum(['generating', 'waiting_for_trainer', 'waiting_for_server']),
      '`generating`; `waiting_for_trainer`: as many are done as the bound on staleness allows; `waiting_for_server`: the inference server has to be found again.',
      'generating',
    ),
    in_flight: field(z.int().min(0), 'Tasks that are being played.', 8),
    buffered: field(z.int().min(0), 'Tasks that are done and wait for the trainer.', 3),
  })
  .meta({ id: 'RolloutsProgress', description: 'What rollouts do that go on while the policy is trained.' });
export type RolloutsProgress = z.infer<typeof rolloutsProgressSchema>;

export const phases = ['loading', 'rollout', 'training', 'evaluation', 'saving', 'finishing'] as const;

/** Characters of a record's texts at most. */
export const limits = { message: 65_536, reason: 64, remedy: 4096 } as const;

export const metricsRecordSchema = z
  .strictObject({
    ...base,
    kind: field(z.literal('metrics'), 'Metrics of one step.', 'metrics'),
    step: field(z.int().min(0), 'Optimizer step.', 100),
    epoch: field(z.number().min(0), 'Passes over the data so far, fractional.', 0.5),
    samples: field(z.int().min(0), 'Training samples consumed so far, over all attempts.', 1600),
    values: field(z.record(z.string(), metricValueSchema), 'Values by metric name.', { 'train/loss': 0.234 }),
  })
  .meta({ id: 'MetricsRecord' });

export const logRecordSchema = z
  .strictObject({
    ...base,
    kind: field(z.literal('log'), 'A log line.', 'log'),
    component: field(componentSchema, 'Who speaks.', 'training'),
    level: field(logLevelSchema, 'Severity.', 'INFO'),
    message: field(z.string().max(limits.message), 'The line.', 'Checkpoint saved: checkpoint-100'),
    fields: field(z.record(z.string(), z.unknown()).optional(), 'Structured values beside it.', { step: 100 }),
  })
  .meta({ id: 'LogRecord' });

export const progressRecordSchema = z
  .strictObject({
    ...base,
    kind: field(z.literal('progress'), 'Where the trainer is.', 'progress'),
    phase: field(z.enum(phases), 'What it is doing; `rollout`: it plays rollouts, or waits for them.', 'rollout'),
    step: field(z.int().min(0), 'Optimizer steps done.', 100),
    total_steps: field(z.int().min(0), 'Optimizer steps in all.', 1000),
    epoch: field(z.number().min(0), 'Passes over the data so far.', 0.5),
    elapsed_seconds: field(z.number().min(0), 'Training time so far, over all attempts.', 930),
    eta_seconds: field(z.number().min(0).nullable(), 'Estimated time left; null before the first step.', 8370),
    evaluated: field(evaluatedSchema.optional(), 'In an evaluation: problems that are done, of all.', {
      done: 40,
      total: 200,
    }),
    rollouts: field(
      rolloutsProgressSchema.optional(),
      'With `rollout.max_staleness` above 0: what the rollouts do meanwhile.',
      { state: 'generating', in_flight: 8, buffered: 3 },
    ),
  })
  .meta({ id: 'ProgressRecord' });

export const evaluationRecordSchema = z
  .strictObject({
    ...base,
    kind: field(z.literal('evaluation'), 'An evaluation.', 'evaluation'),
    evaluation: evaluationSchema,
  })
  .meta({ id: 'EvaluationRecord' });

/** Things a trainer reports once. `resumed` and `checkpoint_rejected` explain a start, `finished` and `failed` an end. */
export const trainerEventNames = [
  'started',
  'resumed',
  'checkpoint_rejected',
  'save_failed',
  'best_updated',
  'finished',
  'failed',
] as const;

export const eventRecordSchema = z
  .strictObject({
    ...base,
    kind: field(z.literal('event'), 'Something that happened once.', 'event'),
    name: field(z.enum(trainerEventNames), 'What happened.', 'resumed'),
    message: field(z.string().max(limits.message), 'The same in words.', 'Resumed from step 40, epoch 0'),
    reason: field(z.string().max(limits.reason).optional(), 'For `finished` and `failed`: an end reason.', 'nan_loss'),
    remedy: field(z.string().max(limits.remedy).optional(), 'What the user can do.', 'Lower training.learning_rate.'),
    data: field(z.record(z.string(), z.unknown()).optional(), 'Structured values beside it.', { step: 40 }),
  })
  .meta({ id: 'EventRecord' });

export const recordSchema = z
  .discriminatedUnion('kind', [
    metricsRecordSchema,
    logRecordSchema,
    progressRecordSchema,
    evaluationRecordSchema,
    eventRecordSchema,
  ])
  .meta({ id: 'Record', description: 'One numbered line from a trainer.' });

export type TrainerRecord = z.infer<typeof recordSchema>;
export type MetricsRecord = z.infer<typeof metricsRecordSchema>;
export type LogRecord = z.infer<typeof logRecordSchema>;
export type ProgressRecord = z.infer<typeof progressRecordSchema>;
export type EvaluationRecord = z.infer<typeof evaluationRecordSchema>;
export type EventRecord = z.infer<typeof eventRecordSchema>;
export type TrainerEventName = (typeof trainerEventNames)[number];

/** What a trainer writes: a record before it has its number and time. */
export type RecordBody = TrainerRecord extends infer R
  ? R extends TrainerRecord
    ? Omit<R, 'n' | 'time'>
    : never
  : never;

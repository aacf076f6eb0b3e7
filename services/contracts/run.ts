import { z } from 'zod';
import { evaluationSchema } from './evaluation.ts';
import { field } from './field.ts';
import { modelOriginSchema } from './model-origin.ts';
import { reasonSchema } from './reason.ts';
import { evaluatedSchema, phases, rolloutsProgressSchema } from './record.ts';
import { methodSchema, runSpecSchema, taskSchema } from './run-spec.ts';

export const runStatuses = [
  'queued',
  'starting',
  'running',
  'stopping',
  'paused',
  'succeeded',
  'failed',
  'cancelled',
] as const;
export const runStatusSchema = z
  .enum(runStatuses)
  .meta({ id: 'RunStatus', description: 'Where a run is in its life.', example: 'running' });
export type RunStatus = z.infer<typeof runStatusSchema>;

/** A run in one of these moves no more until a user resumes it. */
export const endedStatuses: readonly RunStatus[] = ['succeeded', 'failed', 'cancelled'];
/** A run in one of these has no program running, and starts none by itself. */
export const restStatuses: readonly RunStatus[] = [...endedStatuses, 'paused'];
/** A run in one of these holds a slot and may have programs running. */
export const activeStatuses: readonly RunStatus[] = ['starting', 'running', 'stopping'];

export const roles = ['inference', 'trainer'] as const;
export const roleSchema = z.enum(roles).meta({ id: 'Role', description: 'One of the pair.', example: 'trainer' });
export type Role = z.infer<typeof roleSchema>;

export const runIdSchema = z
  .string()
  .regex(/^run-[a-z0-9]{8}$/, 'a run id looks like run-7k3m9q2d')
  .meta({ id: 'RunId', description: 'Id of a run.', example: 'run-7k3m9q2d' });

const time = (description: string) => field(z.iso.datetime().nullable(), description, '2026-11-20T09:00:00.000Z');

export const attemptRoleSchema = z
  .strictObject({
    role: field(roleSchema, 'Which of the pair.', 'trainer'),
    state: field(z.enum(['starting', 'ready', 'exited', 'lost']), 'What was last seen of it.', 'ready'),
    exit_code: field(z.int().nullable(), 'Exit code once exited; null while it runs and when it is lost.', 0),
    pid: field(z.int().nullable(), 'Process id under the process runtime.', 4242),
  })
  .meta({ id: 'AttemptRole' });

export const attemptEngineSchema = z
  .strictObject({
    name: field(
      z.string(),
      "`wasm`, `node` (TensorFlow on processor cores) or `gpu` (TensorFlow on a GPU) of Tandem's own trainer; of another one what it calls it.",
      'node',
    ),
    version: field(z.string().nullable(), 'Of what computes: tfjs for `wasm`, TensorFlow for the others.', '2.21.0'),
    reason: field(
      z.string().nullable(),
      'Why it is this one: `TANDEM_TF=…` where it was asked for, else what the machine has.',
      'TensorFlow is installed, and no GPU was given',
    ),
  })
  .meta({ id: 'AttemptEngine', description: 'What a trainer computes on.' });
export type AttemptEngine = z.infer<typeof attemptEngineSchema>;

export const attemptSchema = z
  .strictObject({
    number: field(z.int().min(1), 'Counts from 1.', 2),
    resumed_from: field(
      z.string().nullable(),
      'Checkpoint it started from, as `<run>/a<attempt>/checkpoint-<step>`; null from the beginning.',
      'run-7k3m9q2d/a1/checkpoint-40',
    ),
    resumed_step: field(z.int().nullable(), 'Step of that checkpoint.', 40),
    started_at: time('When its first program was started.'),
    ended_at: time('When its trainer had ended.'),
    reason: field(reasonSchema.nullable(), 'Why it ended; null while it lasts.', 'trainer_killed'),
    message: field(z.string().nullable(), 'The same in words, with the remedy.', 'The trainer was killed by signal 9.'),
    roles: field(z.array(attemptRoleSchema), 'Its programs.', []),
    engine: field(attemptEngineSchema.nullable(), 'What its trainer computes on; null until it has said so.', {
      name: 'wasm',
      version: '4.22.0',
      reason: 'no TensorFlow is installed',
    }),
  })
  .meta({ id: 'Attempt', description: 'One life of the trainer.' });
export type Attempt = z.infer<typeof attemptSchema>;

export const progressSchema = z
  .strictObject({
    phase: field(
      z.enum(phases),
      'What the trainer is doing; `rollout`: it plays rollouts, or waits for them.',
      'rollout',
    ),
    step: field(z.int(), 'Optimizer steps done.', 100),
    total_steps: field(z.int(), 'Optimizer steps in all.', 1000),
    epoch: field(z.number(), 'Passes over the data so far.', 0.5),
    elapsed_seconds: field(z.number(), 'Training time so far.', 930),
    eta_seconds: field(z.number().nullable(), 'Estimated time left.', 8370),
    evaluated: field(
      evaluatedSchema.nullable(),
      'Problems of the evaluation under way, where the trainer counts them.',
      null,
    ),
    rollouts: field(
      rolloutsProgressSchema.nullable(),
      'What the rollouts do, where they go on while the policy is trained; null where each step waits for its own, and while no trainer runs.',
      { state: 'generating', in_flight: 8, buffered: 3 },
    ),
  })
  .meta({ id: 'Progress' });
export type Progress = z.infer<typeof progressSchema>;

export const restartsSchema = z
  .strictObject({
    after_failures: field(
      z.int().min(0),
      'Restarts after failures of the machine since it last saved a checkpoint that moved it forward.',
      1,
    ),
    after_errors: field(z.int().min(0), "Restarts after the trainer's own errors.", 0),
    attempt: field(z.int().nullable(), 'The attempt whose end led to the latest restart; null: none did.', 1),
    reason: field(reasonSchema.nullable(), 'Why that attempt ended.', 'trainer_killed'),
    message: field(z.string().nullable(), 'The same in words.', 'The trainer was killed by signal 9.'),
    next_at: field(z.iso.datetime().nullable(), 'When it starts again, while it waits for that.', null),
  })
  .meta({ id: 'Restarts', description: 'What it was restarted for, since a user last started or resumed it.' });

export const runSchema = z
  .strictObject({
    id: field(runIdSchema, 'Id.', 'run-7k3m9q2d'),
    name: field(z.string().nullable(), 'Name for people.', 'addition-grpo'),
    method: field(methodSchema, 'Training method.', 'grpo'),
    task: field(taskSchema, 'Whether it trains, or evaluates what was trained.', 'train'),
    status: field(runStatusSchema, 'Where it is in its life.', 'running'),
    reason: field(reasonSchema, 'Why it is there.', 'training'),
    message: field(z.string(), 'The same in words; for a failure with the remedy.', 'Training since 09:00:12.'),
    labels: field(z.record(z.string(), z.string()), 'Labels.', { team: 'agents' }),
    priority: field(z.int(), 'Higher starts earlier.', 50),
    created_at: field(z.iso.datetime(), 'When it was submitted.', '2026-11-20T09:00:00.000Z'),
    started_at: time('When its first attempt started.'),
    ended_at: time('When it ended.'),
    parent: field(z.string().nullable(), 'What it continues, as `<run>/<checkpoint>`.', 'run-1a2b3c4d/checkpoint-700'),
    output_dir: field(z.string(), 'Its tree on the host.', 'outputs/run-7k3m9q2d'),
    progress: field(progressSchema.nullable(), 'The latest progress that was reported.', null),
    waiting: field(
      z
        .strictObject({
          position: field(z.int().min(1), 'Place in the queue, from 1.', 2),
          why: field(z.string(), 'What it waits for, in numbers.', 'needs 1 slot, 0 of 1 free; behind run-1a2b3c4d'),
        })
        .meta({ id: 'Waiting' })
        .nullable(),
      'Why it is not running yet; null unless queued.',
      null,
    ),
    latest_evaluation: field(evaluationSchema.nullable(), 'The newest evaluation.', null),
    warnings: field(z.array(z.string()), 'Hints about the spec; none of them stops the run.', [
      'rollout.num_rollouts 1: a group of one has no variance, so nothing is learned',
    ]),
    attempts: field(z.array(attemptSchema), 'Its lives, oldest first.', []),
    restarts: field(restartsSchema, 'Restarts that happened by themselves, and why.', {
      after_failures: 0,
      after_errors: 0,
      attempt: null,
      reason: null,
      message: null,
      next_at: null,
    }),
    model_origin: field(
      modelOriginSchema.nullable(),
      'What the name of its model meant when it was submitted, and means for it still when it is resumed; of a run on an adapter its base model. Null for a model that is not fetched.',
      {
        kind: 'hub',
        repo: 'Qwen/Qwen3-0.6B',
        revision: 'main',
        commit: 'c1899de289a04d12100db370d81485cdf75e47ca',
      },
    ),
    spec: field(runSpecSchema, 'The resolved spec.', { model: { name: 'Qwen/Qwen3-VL-32B-Instruct' } }),
  })
  .meta({ id: 'Run', description: 'What the user asked for; lives through many attempts.' });
export type Run = z.infer<typeof runSchema>;

/** A run in a list: without spec, origin of its model, attempts and restarts. */
export const runSummarySchema = runSchema
  .omit({ spec: true, model_origin: true, attempts: true, restarts: true })
  .meta({ id: 'RunSummary', description: 'A run in a list.' });
export type RunSummary = z.infer<typeof runSummarySchema>;

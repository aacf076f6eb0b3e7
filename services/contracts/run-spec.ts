import { z } from 'zod';
import { field } from './field.ts';
import { checkpointSpecSchema } from './run-spec/checkpoint.ts';
import { dataSpecSchema } from './run-spec/data.ts';
import { environmentSpecSchema } from './run-spec/environment.ts';
import { inferenceSpecSchema } from './run-spec/inference.ts';
import { loggingSpecSchema } from './run-spec/logging.ts';
import { dpoSpecSchema, grpoSpecSchema, sftSpecSchema } from './run-spec/methods.ts';
import { modelSpecSchema } from './run-spec/model.ts';
import { monitoringSpecSchema } from './run-spec/monitoring.ts';
import { recoverySpecSchema } from './run-spec/recovery.ts';
import { rewardSchema } from './run-spec/reward.ts';
import { rolloutSpecSchema } from './run-spec/rollout.ts';
import { trainingSpecSchema } from './run-spec/training.ts';

/**
 * The run spec: what a user posts to `POST /runs`, as YAML or JSON. Names are those of the users' own configs (requirements L5);
 * older spellings are mapped by `spec-aliases.ts`, defaults that differ by method are in `method-defaults.ts`.
 * Each section is a file of `run-spec/`.
 */

export const methods = ['grpo', 'dpo', 'sft'] as const;
export const methodSchema = z.enum(methods).meta({ id: 'Method', description: 'Training method.', example: 'grpo' });
export type Method = z.infer<typeof methodSchema>;

export const tasks = ['train', 'evaluate'] as const;
export const taskSchema = z
  .enum(tasks)
  .meta({ id: 'Task', description: 'What a run does with its model.', example: 'train' });
export type Task = z.infer<typeof taskSchema>;

export const runSpecSchema = z
  .strictObject({
    name: field(z.string().min(1).max(120).nullable().default(null), 'A name for people.', 'addition-grpo'),
    task: field(
      taskSchema.default('train'),
      '`evaluate`: measure the model, or the checkpoint that `checkpoint.resume_from_checkpoint` names, on `data.val_data` as the method does; ' +
        'nothing is trained and no checkpoint saved. `POST /evaluations` writes such a spec.',
      'train',
    ),
    method: field(methodSchema.default('grpo'), 'Training method.', 'grpo'),
    labels: field(z.record(z.string().max(63), z.string().max(255)).default({}), 'Labels to filter runs by.', {
      team: 'agents',
    }),
    priority: field(z.int().min(0).max(100).default(50), 'Higher starts earlier.', 50),
    preemptible: field(
      z.boolean().default(true),
      'Whether a run of higher priority may have its GPUs: it is asked to save, and goes on from there later. False where an interruption costs more than it helps.',
      true,
    ),
    expected_minutes: field(
      z.number().positive().max(525_600, 'a year is the longest that is planned for').nullable().default(null),
      'How long it will hold its GPUs, in minutes; the queue plans by it until the run has a speed of its own. null: unknown, so it is not started past runs that it might delay.',
      240,
    ),
    seed: field(z.int().min(0).default(42), 'Seeds data order, LoRA initialisation and sampling.', 42),
    trainer: field(
      z.enum(['tfjs', 'areal', 'trl', 'image']).default('tfjs'),
      'Trainer backend. `image`: any program that speaks the agent API, as a container of `trainer_image`.',
      'tfjs',
    ),
    trainer_image: field(
      z.string().min(1).max(512).nullable().default(null),
      'For `trainer: image`: the image, one of those that TANDEM_TRAINER_IMAGES names. Its own entrypoint is started.',
      null,
    ),
    gpu_profile: field(
      z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]*$/, 'a profile is named like split-8: small letters, digits and hyphens')
        .nullable()
        .default(null),
      'How the GPUs are divided between the roles; null: chosen by the host.',
      'split-8',
    ),
    model: field(modelSpecSchema, 'What is trained.', { name: 'Qwen/Qwen3-VL-32B-Instruct' }),
    data: field(dataSpecSchema.prefault({}), 'What it learns from.', { train_data: 'data/train.jsonl' }),
    environment: field(environmentSpecSchema.prefault({}), 'What the model acts in (GRPO).', { type: 'single_turn' }),
    reward: field(
      z
        .array(rewardSchema)
        .min(1)
        .default([{ name: 'exact', weight: 1 }]),
      'Rewards, summed by weight (GRPO).',
      [{ name: 'exact' }],
    ),
    training: field(trainingSpecSchema.prefault({}), 'How it is trained.', { max_steps: 200 }),
    grpo: field(grpoSpecSchema.prefault({}), 'Options of GRPO.', { kl_coef: 0 }),
    dpo: field(dpoSpecSchema.prefault({}), 'Options of DPO.', { beta: 0.1 }),
    sft: field(sftSpecSchema.prefault({}), 'Options of SFT.', { packing: false }),
    checkpoint: field(checkpointSpecSchema.prefault({}), 'Where it starts from.', {}),
    rollout: field(rolloutSpecSchema.prefault({}), 'How completions are made (GRPO).', { num_rollouts: 4 }),
    inference: field(inferenceSpecSchema.prefault({}), 'What makes the rollouts (GRPO).', { backend: 'vllm' }),
    logging: field(loggingSpecSchema.prefault({}), 'What is logged where.', { level: 'INFO' }),
    monitoring: field(monitoringSpecSchema.prefault({}), 'Trackers.', { enable_wandb: false }),
    recovery: field(recoverySpecSchema.prefault({}), 'What happens by itself after a failure.', { max_restarts: 3 }),
  })
  .meta({ id: 'RunSpec', description: 'A run, as YAML or JSON.' });

/** A spec as the user may write it: most keys optional. */
export type RunSpecInput = z.input<typeof runSpecSchema>;
/** A spec with every default filled in. */
export type RunSpec = z.output<typeof runSpecSchema>;

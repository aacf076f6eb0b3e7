import { z } from 'zod';
import { field } from '../field.ts';

export const monitoringSpecSchema = z
  .strictObject({
    enable_wandb: field(z.boolean().default(false), 'Send metrics to Weights & Biases.', true),
    wandb_project: field(z.string().min(1).nullable().default(null), 'null: `WANDB_PROJECT`.', 'cua-grpo'),
    wandb_entity: field(z.string().min(1).nullable().default(null), 'W&B team or user.', 'your-entity'),
    wandb_run_name: field(z.string().min(1).nullable().default(null), 'Name shown in W&B.', 'grpo-qwen3vl-32b'),
    wandb_tags: field(z.array(z.string()).default([]), 'W&B tags.', ['grpo']),
    wandb_resume: field(
      z.enum(['new', 'same']).default('new'),
      'What a resume does in W&B. `new`: a new W&B run in the same group, on the same axis; `same`: it goes on in the one there is, and what it ' +
        'supersedes is overwritten.',
      'new',
    ),
    wandb_run_id: field(z.string().min(1).nullable().default(null), 'Pins the W&B run; null: `WANDB_RUN_ID`.', null),
    force_new_wandb_run: field(z.boolean().default(false), 'Always start a new W&B run on resume.', false),
    enable_tensorboard: field(z.boolean().default(false), 'Write TensorBoard event files.', true),
    tensorboard_log_dir: field(
      z.string().min(1).nullable().default(null),
      'null: `<output_dir>/tensorboard`.',
      'outputs/grpo_cua/tensorboard',
    ),
    enable_mlflow: field(z.boolean().default(false), 'Send metrics to an MLflow server.', true),
    mlflow_tracking_uri: field(
      z
        .url({ protocol: /^https?$/, error: 'must be the http or https URL of an MLflow server' })
        .nullable()
        .default(null),
      'null: `MLFLOW_TRACKING_URI`. What authorizes is sent to the server of that variable alone.',
      'http://mlflow:5000',
    ),
    mlflow_experiment: field(
      z.string().min(1).max(500).nullable().default(null),
      'null: `MLFLOW_EXPERIMENT_NAME`.',
      'cua-grpo',
    ),
    mlflow_run_name: field(
      z.string().min(1).max(250).nullable().default(null),
      'Name shown in MLflow; null: the id of the run.',
      'grpo-qwen3vl-32b',
    ),
  })
  .meta({ id: 'MonitoringSpec', description: 'Trackers.' });

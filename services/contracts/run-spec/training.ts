import { z } from 'zod';
import { field } from '../field.ts';
import { fraction, positiveInt } from './bounds.ts';

export const trainingSpecSchema = z
  .strictObject({
    learning_rate: field(
      z.number().positive().max(10, 'a learning rate above 10 diverges at once').default(1e-5),
      'Peak learning rate.',
      1e-5,
    ),
    batch_size: field(
      positiveInt().default(4),
      'Tasks (GRPO) or examples (SFT, DPO) per trainer GPU and step; the total is times the GPUs.',
      4,
    ),
    gradient_accumulation_steps: field(positiveInt().default(1), 'Batches summed into one optimizer step.', 1),
    micro_batch_tokens: field(
      positiveInt().default(4096),
      'Tokens that go through the model together: sequences of a batch are packed up to it, and a longer one goes alone. Less of it needs less memory.',
      2048,
    ),
    gradient_checkpointing: field(
      z.boolean().default(false),
      'Keep the input of each layer alone and compute the rest again in the backward pass: less memory, a third more time, the same results.',
      true,
    ),
    max_steps: field(
      positiveInt().nullable().default(null),
      'Optimizer steps, whatever `num_epochs` says; null trains for `num_epochs`.',
      200,
    ),
    num_epochs: field(
      z.number().positive().default(1),
      'Passes over the training data when `max_steps` is null; a part of one counts by its steps, rounded up.',
      1,
    ),
    eval_steps: field(
      z.int().min(0).default(200),
      'Evaluate every so many steps, and after the last; 0 never evaluates. SFT and DPO 500, GRPO 200 by default.',
      50,
    ),
    logging_steps: field(positiveInt().default(10), 'Write a row of the training log every so many steps.', 10),
    save_strategy: field(
      z.enum(['steps', 'epoch']).default('steps'),
      'Save every `save_steps`, or at the end of each epoch.',
      'steps',
    ),
    save_steps: field(positiveInt().default(100), 'Save a checkpoint every so many steps.', 100),
    save_total_limit: field(
      positiveInt('keep at least one checkpoint, or a crash loses everything').default(5),
      'Checkpoints kept in `checkpoints/`; the best is kept besides.',
      5,
    ),
    load_best_model_at_end: field(
      z.boolean().default(false),
      'Make the best checkpoint, not the last state, the model of the finished run.',
      true,
    ),
    metric_for_best_model: field(
      z.string().min(1).nullable().default(null),
      'Recorded metric that decides the best checkpoint; null: GRPO `val_reward`, DPO `val_accuracy`, SFT `eval_loss`.',
      'eval/accuracy',
    ),
    greater_is_better: field(
      z.boolean().nullable().default(null),
      'Direction of that metric; null: false for a loss, else true.',
      true,
    ),
    output_dir: field(
      z.string().min(1).nullable().default(null),
      "The run's tree on the host; null: `outputs/<run id>`.",
      'outputs/grpo_cua',
    ),
    start_fresh: field(
      z.boolean().default(false),
      'Do not continue from checkpoints found in `output_dir`; the old tree is moved aside.',
      false,
    ),
    lr_scheduler_type: field(
      z.enum(['constant', 'linear', 'cosine']).default('constant'),
      'Learning rate after warm-up: it stays, or falls to 0 at the last step. SFT and DPO `cosine`, GRPO `constant` by default.',
      'constant',
    ),
    warmup_steps: field(
      z.int().min(0).nullable().default(null),
      'Steps of linear warm-up from 0; null: as `warmup_ratio` says.',
      10,
    ),
    warmup_ratio: field(
      fraction().nullable().default(null),
      'The same as a share of all steps, rounded up; null: none. Not with `warmup_steps`. SFT 0.03, DPO 0.1 by default.',
      0.03,
    ),
    weight_decay: field(z.number().min(0).default(0), 'Decoupled weight decay of AdamW.', 0.01),
    adam_beta1: field(z.number().min(0).lt(1).default(0.9), 'AdamW beta 1.', 0.9),
    adam_beta2: field(z.number().min(0).lt(1).default(0.999), 'AdamW beta 2.', 0.999),
    adam_epsilon: field(z.number().positive().default(1e-8), 'AdamW epsilon.', 1e-8),
    max_grad_norm: field(z.number().positive().default(1), 'Gradients are scaled down to this global norm.', 1),
    run_baseline_eval: field(
      z.boolean().nullable().default(null),
      'Evaluate before training; null: as `RUN_BASELINE_EVAL` says, else true.',
      true,
    ),
    max_eval_samples: field(
      positiveInt().nullable().default(null),
      'At most so many problems per evaluation; null: all of `val_data`.',
      200,
    ),
    early_stopping_patience: field(
      positiveInt().nullable().default(null),
      'Stop after so many evaluations without improvement; null: never.',
      5,
    ),
    target_accuracy: field(
      fraction().nullable().default(null),
      'Stop once an evaluation reaches this accuracy; null: never.',
      0.9,
    ),
  })
  .meta({ id: 'TrainingSpec', description: 'How it is trained.' });

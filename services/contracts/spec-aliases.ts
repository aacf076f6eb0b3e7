/**
 * Spellings of the users' older scripts, each mapped to the path it has in the run spec. An alias is accepted at the top level and
 * inside the sections listed in `aliasSections`; the resolved spec shows the path on the right.
 */
export const specAliases: Readonly<Record<string, string>> = {
  model_path: 'model.name',
  model_name: 'model.name',
  model_revision: 'model.revision',
  max_seq_length: 'model.max_seq_length',
  max_length: 'model.max_seq_length',
  use_lora: 'model.use_lora',
  lora_r: 'model.lora.r',
  lora_alpha: 'model.lora.alpha',
  lora_dropout: 'model.lora.dropout',
  lora_target_modules: 'model.lora.target_modules',
  use_4bit: 'model.use_4bit',
  load_in_4bit: 'model.use_4bit',
  bf16: 'model.bf16',
  train_data: 'data.train_data',
  dataset_path: 'data.train_data',
  val_data: 'data.val_data',
  eval_data: 'data.val_data',
  per_device_train_batch_size: 'training.batch_size',
  batch_size: 'training.batch_size',
  learning_rate: 'training.learning_rate',
  lr: 'training.learning_rate',
  num_train_epochs: 'training.num_epochs',
  num_epochs: 'training.num_epochs',
  max_steps: 'training.max_steps',
  gradient_accumulation_steps: 'training.gradient_accumulation_steps',
  eval_every_n_steps: 'training.eval_steps',
  eval_steps: 'training.eval_steps',
  max_eval_samples: 'training.max_eval_samples',
  save_steps: 'training.save_steps',
  save_total_limit: 'training.save_total_limit',
  logging_steps: 'training.logging_steps',
  output_dir: 'training.output_dir',
  gradient_checkpointing: 'training.gradient_checkpointing',
  warmup_steps: 'training.warmup_steps',
  warmup_ratio: 'training.warmup_ratio',
  weight_decay: 'training.weight_decay',
  max_grad_norm: 'training.max_grad_norm',
  lr_scheduler_type: 'training.lr_scheduler_type',
  run_baseline_eval: 'training.run_baseline_eval',
  target_accuracy: 'training.target_accuracy',
  early_stopping_patience: 'training.early_stopping_patience',
  resume_from_checkpoint: 'checkpoint.resume_from_checkpoint',
  num_generations: 'rollout.num_rollouts',
  num_rollouts: 'rollout.num_rollouts',
  max_turns: 'rollout.max_turns',
  max_head_offpolicyness: 'rollout.max_staleness',
  max_off_policy_steps: 'rollout.max_staleness',
  max_completion_length: 'rollout.max_new_tokens',
  max_new_tokens: 'rollout.max_new_tokens',
  temperature: 'rollout.temperature',
  kl_coef: 'grpo.kl_coef',
  epsilon: 'grpo.epsilon_low',
  epsilon_low: 'grpo.epsilon_low',
  epsilon_high: 'grpo.epsilon_high',
  eps_clip: 'grpo.epsilon_low',
  num_iterations: 'grpo.num_iterations',
  dynamic_sampling: 'grpo.dynamic_sampling',
  mask_truncated_completions: 'grpo.mask_truncated_completions',
  use_decoupled_loss: 'grpo.use_decoupled_loss',
  overlong_buffer_len: 'grpo.overlong_buffer_tokens',
  beta: 'dpo.beta',
  packing: 'sft.packing',
  completion_only_loss: 'sft.completion_only_loss',
  verbose: 'logging.verbose',
};

/** Aliases of a first path that mean the second as well, unless that is written: in TRL `epsilon` bounds the ratio on both sides. */
export const alsoMeans: Readonly<Record<string, string>> = {
  epsilon: 'grpo.epsilon_high',
  eps_clip: 'grpo.epsilon_high',
};

/** Sections in which a flat alias may also stand, such as `training.kl_coef`. */
export const aliasSections = ['training', 'model', 'data', 'rollout', 'grpo', 'dpo', 'sft'] as const;

/** The path an older spelling stands for; undefined for any other key, `constructor` and its like among them. */
export function aliasTarget(key: string): string | undefined {
  return Object.hasOwn(specAliases, key) ? specAliases[key] : undefined;
}

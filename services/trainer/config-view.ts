import type { AttemptSpec } from '../contracts/agent-operations.ts';

/**
 * The run's settings, flat and under the names of the users' scripts (requirement M6): what `training_metadata.json` and the training log
 * show as `config`. `model_revision` is the commit of a model that was fetched from a hub: submitted again, they mean the same weights.
 */
export function configView({
  spec,
  model_origin: origin,
  output_dir,
}: Pick<AttemptSpec, 'spec' | 'model_origin' | 'output_dir'>): Record<string, unknown> {
  const { model, data, training, rollout } = spec;
  return {
    method: spec.method,
    model_path: model.name,
    ...(origin?.kind === 'hub' && { model_revision: origin.commit }),
    train_data: data.train_data,
    val_data: data.val_data,
    output_dir,
    seed: spec.seed,
    num_epochs: training.num_epochs,
    max_steps: training.max_steps,
    batch_size: training.batch_size,
    gradient_accumulation_steps: training.gradient_accumulation_steps,
    learning_rate: training.learning_rate,
    lr_scheduler_type: training.lr_scheduler_type,
    warmup_steps: training.warmup_steps,
    warmup_ratio: training.warmup_ratio,
    weight_decay: training.weight_decay,
    max_grad_norm: training.max_grad_norm,
    max_seq_length: model.max_seq_length,
    use_lora: model.use_lora,
    ...(model.use_lora && { lora_r: model.lora.r, lora_alpha: model.lora.alpha }),
    ...(spec.method === 'sft' && { use_4bit: model.use_4bit, bf16: model.bf16 }),
    ...(spec.method === 'dpo' && { beta: spec.dpo.beta, loss_type: spec.dpo.loss_type }),
    ...(spec.method === 'grpo' && {
      num_generations: rollout.num_rollouts,
      temperature: rollout.temperature,
      max_new_tokens: rollout.max_new_tokens,
      kl_coef: spec.grpo.kl_coef,
      loss_type: spec.grpo.loss_type,
    }),
  };
}

import type { Method, RunSpecInput } from './run-spec.ts';

type PartialSpec = { [K in keyof RunSpecInput]?: Partial<RunSpecInput[K]> };

/**
 * Defaults that differ by method (requirements T2, M6). They lie under what the user wrote and over the schema's own.
 * SFT as Dettmers et al. trained QLoRA (2023, appendix B.2), with the decay that its users gave it since; DPO as Tunstall et al. trained
 * Zephyr (2023); GRPO at a constant rate, since a run of it is prolonged as long as its reward rises.
 */
export const methodDefaults: Record<Method, PartialSpec> = {
  grpo: { training: { eval_steps: 200, learning_rate: 1e-5 } },
  dpo: { training: { eval_steps: 500, learning_rate: 5e-6, lr_scheduler_type: 'cosine', warmup_ratio: 0.1 } },
  sft: {
    training: { eval_steps: 500, learning_rate: 2e-4, lr_scheduler_type: 'cosine', warmup_ratio: 0.03 },
    model: { lora: { r: 64, alpha: 128 } },
  },
};

/** The metric that decides the best checkpoint when the spec names none (requirement C3). */
export const defaultBestMetric: Record<Method, { metric: string; greaterIsBetter: boolean }> = {
  grpo: { metric: 'val_reward', greaterIsBetter: true },
  dpo: { metric: 'val_accuracy', greaterIsBetter: true },
  sft: { metric: 'eval_loss', greaterIsBetter: false },
};

import type { Method, RunSpecInput } from './run-spec.ts';

type PartialSpec = { [K in keyof RunSpecInput]?: Partial<RunSpecInput[K]> };

/** Defaults that differ by method (requirements T2, M6). They lie under what the user wrote and over the schema's own. */
export const methodDefaults: Record<Method, PartialSpec> = {
  grpo: { training: { eval_steps: 200, learning_rate: 1e-5 } },
  dpo: { training: { eval_steps: 500, learning_rate: 5e-6 } },
  sft: { training: { eval_steps: 500, learning_rate: 2e-4 }, model: { lora: { r: 64, alpha: 128 } } },
};

/** The metric that decides the best checkpoint when the spec names none (requirement C3). */
export const defaultBestMetric: Record<Method, { metric: string; greaterIsBetter: boolean }> = {
  grpo: { metric: 'val_reward', greaterIsBetter: true },
  dpo: { metric: 'val_accuracy', greaterIsBetter: true },
  sft: { metric: 'eval_loss', greaterIsBetter: false },
};

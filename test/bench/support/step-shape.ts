/** What the steps of `training-step.ts` and `training_step.py` train on: 4 sequences of which 128 tokens go through the model, as the last one predicts nothing. */
export const stepShape = {
  ...{ sequences: 4, prompt: 32, completion: 97 },
  ...{ rank: 16, alpha: 32, learningRate: 1e-4, beta: 0.1, klCoef: 0.1, clipLow: 0.2, clipHigh: 0.28 },
  /** Of the rollouts of GRPO. */
  rewards: [0, 1, 0, 1],
} as const;

/** Tokens that go through the model in a step. */
export const stepTokens = stepShape.sequences * (stepShape.prompt + stepShape.completion - 1);

export const benchMethods = ['sft', 'dpo', 'grpo'] as const;
export type BenchMethod = (typeof benchMethods)[number];

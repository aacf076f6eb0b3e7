import type { ModelConfig } from '../../../services/contracts/model-config.ts';
import { PROJECTIONS, projectionSize } from '../../../services/model/parameters.ts';
import { type BenchMethod, stepShape, stepTokens } from './step-shape.ts';

/** Weights that every token is multiplied with in the layers: its products cost twice as many operations. */
export function layerWeights(config: ModelConfig): number {
  const sizes = PROJECTIONS.map((projection) => projectionSize(config, projection));
  return config.layers * sizes.reduce((sum, { in: inner, out }) => sum + inner * out, 0);
}

/** Weights of the output projection, which only rows that predict something are multiplied with. */
export function headWeights(config: ModelConfig): number {
  return config.hiddenSize * config.vocabSize;
}

/** Operations of attention for one query that sees `keys` keys, in all layers: its scores and its sum of values. */
export function attentionFlops(config: ModelConfig, keys: number): number {
  return config.layers * 4 * config.heads * config.headDim * keys;
}

export type StepFlops = Readonly<Record<BenchMethod, number>>;

/** Operations of the products of a step of `training-step.ts`, by method: forward, and backward with respect to inputs and adapters; a reference goes forward once more. */
export function stepFlops(config: ModelConfig): StepFlops {
  const rows = stepShape.sequences * stepShape.completion;
  const base = 2 * (stepTokens * layerWeights(config) + rows * headWeights(config));
  // Each product once forward and once for the gradient of its input; the adapters' once more for their own.
  const adapter = 6 * stepTokens * config.layers * stepShape.rank * adaptedWidths(config);
  const attention = stepTokens * attentionFlops(config, stepTokens / stepShape.sequences / 2);
  // Of attention's backward pass: scores again, and the gradients of weights, queries, keys and values.
  const sft = 2 * base + adapter + 3.5 * attention;
  const withReference = sft + base + attention;
  return { sft, dpo: withReference, grpo: withReference };
}

function adaptedWidths(config: ModelConfig): number {
  return PROJECTIONS.reduce((sum, projection) => {
    const { in: inner, out } = projectionSize(config, projection);
    return sum + inner + out;
  }, 0);
}

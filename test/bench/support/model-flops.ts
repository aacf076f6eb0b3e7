import type { ModelConfig } from '../../../services/contracts/model-config.ts';
import { PROJECTIONS, projectionSize } from '../../../services/model/parameters.ts';

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

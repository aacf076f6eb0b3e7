import type { TinyModelOptions } from '../../../services/model/tiny-model.ts';

/** The model of the first steps and of the tests, and one that has products of a size worth calling so. */
export const benchModels = {
  '2 x 64': {},
  '4 x 256': { layers: 4, hidden: 256, heads: 8, kvHeads: 4, headDim: 32, intermediate: 640 },
} as const satisfies Record<string, TinyModelOptions>;

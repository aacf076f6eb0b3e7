/** The model of the checkpoints beside this file: as small as it gets, with the architecture and the tokenizer of the other tests. */
export const goldenBase = {
  seed: 1,
  layers: 2,
  hidden: 8,
  heads: 2,
  kvHeads: 1,
  headDim: 4,
  intermediate: 12,
  maxPositions: 64,
} as const;

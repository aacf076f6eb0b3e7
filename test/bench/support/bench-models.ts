import { resolveRunSpec } from '../../../services/contracts/resolve-run-spec.ts';
import { ENGINE_LIMIT_BYTES, estimateMemory } from '../../../services/contracts/training-memory.ts';
import type { TinyModelOptions } from '../../../services/model/tiny-model.ts';
import { TINY_VOCAB_SIZE } from '../../../services/model/tiny-tokenizer.ts';
import { stepShape, stepTokens } from './step-shape.ts';

/** The model of the first steps and of the tests, and one that has products of a size worth calling so. */
export const benchModels = {
  '2 x 64': {},
  '4 x 256': { layers: 4, hidden: 256, heads: 8, kvHeads: 4, headDim: 32, intermediate: 640 },
} as const satisfies Record<string, TinyModelOptions>;

const wide = { hidden: 1024, heads: 16, kvHeads: 8, headDim: 64, intermediate: 2816 } as const;

/** Of layers as wide as those of models of 0.5 B parameters, as many as the engine's 4 GiB hold in the steps of `training-step.ts`. */
export function largestModel(): TinyModelOptions & { readonly layers: number } {
  let layers = 1;
  while (engineBytes(layers + 1) <= ENGINE_LIMIT_BYTES) layers += 1;
  return { ...wide, layers };
}

function engineBytes(layers: number): number {
  const { hidden: hiddenSize, intermediate: intermediateSize, heads, kvHeads, headDim } = wide;
  const sizes = { vocabSize: TINY_VOCAB_SIZE, hiddenSize, intermediateSize, layers, heads, kvHeads, headDim };
  const resolved = resolveRunSpec({
    method: 'grpo',
    model: { name: 'model', use_lora: true, lora: { r: stepShape.rank, alpha: stepShape.alpha } },
  });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const batch = { tokens: stepTokens, completionTokens: stepShape.sequences * stepShape.completion };
  return estimateMemory({ ...sizes, tieWordEmbeddings: true, qkNorm: true }, resolved.spec, batch).engineBytes;
}

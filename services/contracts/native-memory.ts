import {
  adapted,
  ENGINE_LIMIT_BYTES,
  estimateMemory,
  LOGITS_CHUNK_BYTES,
  largestMicroBatch,
  type MemoryEstimate,
  type MemorySpec,
  type MicroBatchSize,
  type ModelSizes,
  projections,
} from './training-memory.ts';

/**
 * What training takes on TensorFlow, the engines `node` and `gpu`, as `training-memory.ts` says it for wasm. What differs: a product takes either operand transposed, so
 * weights lie once; softmaxes of short sequences are kept for the backward pass; and no limit but that of the host, the container or the GPU.
 */

/** What an engine computes in. */
export interface EngineMemory {
  readonly engine: 'wasm' | 'node' | 'gpu';
  readonly limitBytes: number;
  /** Whether its addon has operations of its own (`estimateNativeMemory`); left out: as ours for `node` has. */
  readonly fused?: boolean;
}

export const wasmMemory: EngineMemory = { engine: 'wasm', limitBytes: ENGINE_LIMIT_BYTES };

/** Of the memory that there is, of a host or a GPU; the rest is for what no count of tensors sees. */
export const MEMORY_SHARE = 0.9;

const FLOAT = 4;
/** Queries that are computed together, and of how many such blocks a sequence may be for its softmax to be kept (`model/kernels/native/attend.ts`). */
const BLOCK = 128;
const KEPT_BLOCKS = 4;

export function estimateOn(
  { engine, fused = engine === 'node' }: Pick<EngineMemory, 'engine' | 'fused'>,
  sizes: ModelSizes,
  spec: MemorySpec,
): MemoryEstimate {
  return engine === 'wasm' ? estimateMemory(sizes, spec) : estimateNativeMemory(sizes, spec, { fused });
}

/** Of an estimate, what has to fit: on processor cores what is kept outside the engine lies in the same memory. */
export function countedBytes(
  { engine }: Pick<EngineMemory, 'engine'>,
  estimate: MemoryEstimate,
): { all: number; fixed: number } {
  const beside = engine === 'node' ? estimate.hostBytes : 0;
  return { all: estimate.engineBytes + beside, fixed: estimate.fixedBytes + beside };
}

/**
 * @param length of the sequences; left out: as long as may be, or the longest whose softmax is kept, whichever takes more
 * @param fused whether the addon has operations of its own, as the one for cores does: they save less
 */
export function estimateNativeMemory(
  sizes: ModelSizes,
  spec: MemorySpec,
  {
    batch = largestMicroBatch(spec),
    length,
    fused = true,
  }: { readonly batch?: MicroBatchSize; readonly length?: number; readonly fused?: boolean } = {},
): MemoryEstimate {
  const weights = weightBytes(sizes, spec);
  const longest = spec.model.max_seq_length;
  const lengths = length === undefined ? [longest, Math.min(longest, KEPT_BLOCKS * BLOCK)] : [length];
  const { activations, logits } = lengths
    .map((each) => batchBytes(sizes, spec, batch, { length: each, fused }))
    .reduce((most, each) => (each.activations > most.activations ? each : most));
  const fixedBytes = weights.held + weights.passing + weights.adapter + weights.gradients;
  return {
    engine: {
      weights: weights.held,
      copies: weights.passing,
      adapter: weights.adapter,
      gradients: weights.gradients,
      activations,
      logits,
    },
    engineBytes: fixedBytes + activations + logits,
    fixedBytes,
    // As on wasm: moments, sums of gradients, weights in 4 bits.
    hostBytes: estimateMemory(sizes, spec, batch).hostBytes,
  };
}

function weightBytes(sizes: ModelSizes, spec: MemorySpec) {
  const matrices = Object.values(projections(sizes)).map((shape) => shape.in * shape.out);
  const layers = sizes.layers * sum(matrices);
  const embedding = sizes.vocabSize * sizes.hiddenSize;
  const head = sizes.tieWordEmbeddings ? 0 : embedding;
  const all = layers + embedding + head;
  if (!spec.model.use_lora) {
    const withReference = spec.method === 'dpo' || (spec.method === 'grpo' && spec.grpo.kl_coef > 0);
    // A tied embedding has a gradient as the head's, one as its own, and their sum.
    const gradients = all + (sizes.tieWordEmbeddings ? 2 * embedding : 0);
    return inBytes({ held: all + (withReference ? all : 0), passing: 0, adapter: 0, gradients });
  }
  const trained = sizes.layers * sum(adapted(sizes, spec).map((shape) => spec.model.lora.r * (shape.in + shape.out)));
  const packed = spec.model.use_4bit;
  // A projection in 4 bits is unpacked for its product: the values, and TensorFlow's copy of them.
  const passing = packed ? 2 * Math.max(...matrices) : 0;
  return inBytes({ held: packed ? embedding + head : all, passing, adapter: trained, gradients: trained });
}

/** What the forward pass saves, and the gradients of it, which live as long. */
function batchBytes(
  sizes: ModelSizes,
  spec: MemorySpec,
  { tokens, completionTokens: rows }: MicroBatchSize,
  { length, fused }: { readonly length: number; readonly fused: boolean },
) {
  const { hiddenSize: hidden, intermediateSize: inner, layers, vocabSize } = sizes;
  const widths = (sizes.heads + sizes.kvHeads) * sizes.headDim;
  const norms = sizes.qkNorm ? 1 : 0;
  const lora = spec.model.use_lora ? adapted(sizes, spec) : [];
  const masks = spec.model.lora.dropout > 0 ? 2 * sum(lora.map((shape) => shape.in)) : 0;
  const softmax = fused ? 0 : sizes.heads * keptKeys(length);
  const saved =
    6 * hidden + (5 + norms) * widths + (fused ? 3 : 5) * inner + lora.length * spec.model.lora.r + masks + softmax;
  const derived = 9 * hidden + (3 + norms) * widths + 3 * inner;
  const layer = tokens * (saved + derived);
  const ends = 3 * tokens * hidden + 2 * rows * hidden + tokens * attentionFloats(sizes, length, fused);
  const again = spec.training.gradient_checkpointing;
  const activations = again ? layers * 2 * tokens * hidden + layer : layers * layer;
  const chunk = Math.max(1, Math.floor(LOGITS_CHUNK_BYTES / (FLOAT * vocabSize)));
  const logits = 2 * Math.min(rows, chunk) * vocabSize;
  // More than one chunk are gone before the layers' gradients are worked out.
  const beside = rows > chunk && !again ? Math.max(0, logits - layers * tokens * derived) : logits;
  return { activations: FLOAT * (activations + ends), logits: FLOAT * beside };
}

/**
 * What the backward pass of attention needs for a while, a token: gradients of a block's softmax, which is computed again where it was not kept, and keys' and values' of each block. Ours holds, on each
 * thread, a block's softmax of one head and its gradient.
 */
function attentionFloats({ heads, kvHeads, headDim }: ModelSizes, length: number, fused: boolean): number {
  if (fused) return 0;
  const scores = keptKeys(length) > 0 ? 3 : 6;
  return scores * heads * Math.min(BLOCK, length) + 2 * Math.ceil(length / BLOCK) * kvHeads * headDim;
}

/** Keys that each query's softmax is kept of, on average: blocks look at those up to their last; long sequences keep none. */
function keptKeys(length: number): number {
  if (length > KEPT_BLOCKS * BLOCK) return 0;
  return length <= BLOCK ? length : (length + BLOCK) / 2;
}

function inBytes<K extends string>(floats: Record<K, number>): Record<K, number> {
  const entries = Object.entries<number>(floats).map(([name, count]) => [name, FLOAT * count]);
  return Object.fromEntries(entries) as Record<K, number>;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

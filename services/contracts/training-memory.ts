import type { ModelConfig } from './model-config.ts';
import type { RunSpec } from './run-spec.ts';

/**
 * What training a model in Tandem's own trainer takes, from the sizes of the model and the spec: arithmetic only, so that the control plane can
 * say before the run starts what the trainer would find out. Units are bytes; the trainer computes in float32.
 */

/** Of the model's config.json. */
export type ModelSizes = Pick<
  ModelConfig,
  | 'vocabSize'
  | 'hiddenSize'
  | 'intermediateSize'
  | 'layers'
  | 'heads'
  | 'kvHeads'
  | 'headDim'
  | 'tieWordEmbeddings'
  | 'qkNorm'
>;

/** What of a spec decides. */
export interface MemorySpec {
  readonly method: RunSpec['method'];
  readonly model: Pick<RunSpec['model'], 'use_lora' | 'use_4bit' | 'max_seq_length'> & {
    readonly lora: Pick<RunSpec['model']['lora'], 'r' | 'dropout' | 'target_modules'>;
  };
  readonly training: Pick<
    RunSpec['training'],
    'batch_size' | 'gradient_accumulation_steps' | 'micro_batch_tokens' | 'gradient_checkpointing'
  >;
  readonly grpo: Pick<RunSpec['grpo'], 'kl_coef'>;
  readonly rollout: Pick<RunSpec['rollout'], 'num_rollouts'>;
  readonly sft: Pick<RunSpec['sft'], 'packing'>;
}

/** The largest micro-batch. */
export interface MicroBatchSize {
  readonly tokens: number;
  /** Of these, completion tokens: each has a row of logits. */
  readonly completionTokens: number;
}

export interface MemoryEstimate {
  /** In the engine, whose memory has a limit of its own. */
  readonly engine: {
    readonly weights: number;
    /** Matrices that are there a second time, in the order in which products read them. */
    readonly copies: number;
    readonly adapter: number;
    readonly gradients: number;
    readonly activations: number;
    readonly logits: number;
  };
  readonly engineBytes: number;
  /** Of these, what no micro-batch is small enough to avoid. */
  readonly fixedBytes: number;
  /** Outside the engine: moments of the optimizer, sums of gradients, weights in 4 bits. */
  readonly hostBytes: number;
}

/** wasm addresses 4 GiB; past this the trainer refuses to allocate. */
export const ENGINE_LIMIT_BYTES = 3.5 * 2 ** 30;
/** Logits are held in chunks of at most so many bytes. */
export const LOGITS_CHUNK_BYTES = 32 * 2 ** 20;

const FLOAT = 4;
/** Gaps between tensors, and the engine's own. */
const GAPS = 1.02;
const BASE_BYTES = 2 ** 20;
/** 4 bits and their scales. */
const NF4_BYTES = 0.52;

/** The largest micro-batch that a spec allows: every sequence as long as may be. */
export function largestMicroBatch(spec: MemorySpec): MicroBatchSize {
  const { training, model } = spec;
  const steps = training.gradient_accumulation_steps;
  const sequences = {
    // Packed steps have no number of examples: tokens alone divide them.
    sft: spec.sft.packing ? Number.POSITIVE_INFINITY : training.batch_size,
    dpo: 2 * training.batch_size,
    grpo: training.batch_size * steps * spec.rollout.num_rollouts,
  }[spec.method];
  const length = model.max_seq_length;
  // The two of a preference pair go together.
  const least = spec.method === 'dpo' ? 2 * length : length;
  const tokens = Math.max(least, Math.min(sequences * length, training.micro_batch_tokens));
  return { tokens, completionTokens: tokens };
}

export function estimateMemory(
  sizes: ModelSizes,
  spec: MemorySpec,
  batch: MicroBatchSize = largestMicroBatch(spec),
): MemoryEstimate {
  const weights = weightFloats(sizes, spec);
  const { activations, logits } = batchFloats(sizes, spec, batch);
  const fixed = weights.held + weights.copies + weights.adapter + weights.gradients;
  const scale = (floats: number) => Math.round(GAPS * FLOAT * floats);
  return {
    engine: {
      weights: scale(weights.held),
      copies: scale(weights.copies) + BASE_BYTES,
      adapter: scale(weights.adapter),
      gradients: scale(weights.gradients),
      activations: scale(activations),
      logits: scale(logits),
    },
    engineBytes: scale(fixed + activations + logits) + BASE_BYTES,
    fixedBytes: scale(fixed) + BASE_BYTES,
    hostBytes: Math.round(FLOAT * 4 * weights.trained + NF4_BYTES * weights.packed),
  };
}

interface Shape {
  readonly in: number;
  readonly out: number;
}

export function projections({
  hiddenSize,
  intermediateSize,
  heads,
  kvHeads,
  headDim,
}: ModelSizes): Record<string, Shape> {
  const [queries, keys] = [heads * headDim, kvHeads * headDim];
  return {
    q_proj: { in: hiddenSize, out: queries },
    k_proj: { in: hiddenSize, out: keys },
    v_proj: { in: hiddenSize, out: keys },
    o_proj: { in: queries, out: hiddenSize },
    gate_proj: { in: hiddenSize, out: intermediateSize },
    up_proj: { in: hiddenSize, out: intermediateSize },
    down_proj: { in: intermediateSize, out: hiddenSize },
  };
}

export function adapted(sizes: ModelSizes, { model }: MemorySpec): Shape[] {
  return Object.entries(projections(sizes)).flatMap(([name, shape]) =>
    (model.lora.target_modules as readonly string[]).includes(name) ? [shape] : [],
  );
}

/** Numbers of floats that do not depend on the batch. */
function weightFloats(sizes: ModelSizes, spec: MemorySpec) {
  const shapes = Object.values(projections(sizes));
  const matrices = shapes.map((shape) => shape.in * shape.out);
  const layers = sizes.layers * sum(matrices);
  const embedding = sizes.vocabSize * sizes.hiddenSize;
  // A tied embedding is looked up in, and multiplied by in another order.
  const [head, tied] = sizes.tieWordEmbeddings ? [0, embedding] : [embedding, 0];
  const all = layers + embedding + head;
  if (!spec.model.use_lora) {
    const withReference = spec.method === 'dpo' || (spec.method === 'grpo' && spec.grpo.kl_coef > 0);
    const reference = withReference ? all + tied : 0;
    // Of a tied head the gradient in both layouts and as the embedding's.
    const gradients = all + 2 * tied;
    return {
      held: all + reference,
      // Of a tied head the transpose, and of a matrix at a time the order for products.
      copies: tied + Math.max(...matrices, embedding),
      adapter: 0,
      gradients,
      trained: all,
      packed: 0,
    };
  }
  const trained = sizes.layers * sum(adapted(sizes, spec).map((shape) => spec.model.lora.r * (shape.in + shape.out)));
  const adapter = { adapter: 2 * trained, gradients: trained, trained };
  const copies = tied + Math.max(...matrices, head);
  return spec.model.use_4bit
    ? { held: embedding + head, copies, ...adapter, packed: layers }
    : { held: all, copies, ...adapter, packed: 0 };
}

/** Numbers of floats that grow with the micro-batch: what the forward pass saves, and the gradients of it, which live as long. */
function batchFloats(sizes: ModelSizes, spec: MemorySpec, { tokens, completionTokens: rows }: MicroBatchSize) {
  const { hiddenSize: hidden, intermediateSize: inner, qkNorm } = sizes;
  const heads = (sizes.heads + sizes.kvHeads) * sizes.headDim;
  const lora = spec.model.use_lora ? adapted(sizes, spec) : [];
  const masks = spec.model.lora.dropout > 0 ? 2 * sum(lora.map((shape) => shape.in)) : 0;
  const norms = qkNorm ? 1 : 0;
  const saved = tokens * (6 * hidden + (2 + norms) * heads + 4 * inner + lora.length * spec.model.lora.r + masks);
  const derived = tokens * (9 * hidden + (3 + norms) * heads + 3 * inner);
  const ends = 3 * tokens * hidden + 2 * rows * hidden;

  const chunk = Math.max(1, Math.floor(LOGITS_CHUNK_BYTES / (FLOAT * sizes.vocabSize)));
  const logits = 2 * Math.min(rows, chunk) * sizes.vocabSize;
  const { layers } = sizes;
  // Chunks come and go and leave gaps.
  const gap = rows > chunk ? chunk * sizes.vocabSize : 0;
  if (spec.training.gradient_checkpointing) {
    const inputs = layers * 2 * tokens * hidden;
    return { activations: inputs + saved + derived + ends, logits: logits + gap };
  }
  // More than one chunk are gone before the layers' gradients are worked out.
  const extra = rows > chunk ? Math.max(0, logits - layers * derived) + gap : logits;
  return { activations: layers * (saved + derived) + ends, logits: extra };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

import type { Nf4Tensor } from '../nf4.ts';
import type * as tf from '../tf.ts';
import type { AttentionShape, AttentionSpan } from './attention.ts';
import type { RopeTable } from './rope.ts';

/** A projection y = x W + b. Where and how W is kept is its own affair. */
export interface LinearWeight {
  /** Of W: [in, out]. */
  readonly shape: readonly [number, number];
  /** [out] */
  readonly bias?: tf.Tensor1D;
  /** W and the bias where gradients flow to them, else empty. May make W: ask for the scratch first. */
  readonly trained: readonly tf.Tensor[];
  /** Bytes of each block that a product takes besides its operands and its result. What is kept counts until it is there. */
  scratch(product: 'times' | 'timesTransposed'): readonly number[];
  /** x W: [rows, in] -> [rows, out]. */
  times(x: tf.Tensor2D): tf.Tensor2D;
  /** dy W^T: [rows, out] -> [rows, in]. */
  timesTransposed(dy: tf.Tensor2D): tf.Tensor2D;
  /** Of what is trained, in that order, from the input and the gradient of the output. */
  gradients(x: tf.Tensor2D, dy: tf.Tensor2D): tf.Tensor[];
}

/** A projection with tensors of its own, besides the weights it was made of. */
export interface OwnedLinear extends LinearWeight {
  dispose(): void;
}

/** A projection that nothing trains. */
export interface FrozenLinear extends OwnedLinear {
  /** Its matrix, row by row. */
  values(): Float32Array;
}

/** The ways to keep a projection. Matrices are [in, out]; an embedding is [vocabulary, hidden], the transpose of the output projection. */
export interface LinearWeights {
  trained(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined): LinearWeight;
  /** Takes the matrix over: it may be gone after the first product, and is when this is disposed of. */
  frozen(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined): FrozenLinear;
  /** Frozen, and packed in 4 bits. */
  nf4(weight: Nf4Tensor, bias: tf.Tensor1D | undefined): OwnedLinear;
  /** The output projection of a tied model in training: gradients reach the embedding. */
  tiedTrained(embedding: tf.Tensor2D): LinearWeight;
  tiedFrozen(embedding: tf.Tensor2D): OwnedLinear;
}

/** What a LoRA adapter adds to a projection: scale * dropout(x) A B. */
export interface LoraTerm {
  /** [in, r] */
  readonly a: tf.Tensor2D;
  /** [r, out] */
  readonly b: tf.Tensor2D;
  readonly scale: number;
  /** [rows, in]: 0 where dropped, else 1 / (1 - p). */
  readonly mask?: tf.Tensor2D;
}

export interface LinearOptions {
  /** Nothing that is trained has part in x, so its gradient is not worked out. */
  readonly constantInput?: boolean;
}

/** Keys and values of one sequence in one layer: what attention reads instead of the batch's own. They lie in blocks, outside the engine's memory. */
export interface CachedKeys {
  /** Block n holds the rows from n * blockRows; what follows the sequence's last row is undefined. */
  readonly blocks: readonly Float32Array[];
  readonly blockRows: number;
  /** Where this layer's keys begin in each block: row-major [blockRows, kvHeads * headDim]. */
  readonly keysAt: number;
  /** Where its values begin, in the same order. */
  readonly valuesAt: number;
}

/**
 * The operations a decoder is made of. Each one treats every row, or every sequence, on its own. Those on wasm do so in a fixed order too: what a
 * sequence gives is the same bits whatever its neighbours in the batch, and replacements must keep that promise. On TensorFlow it is the same
 * within rounding.
 */
export interface Kernels {
  readonly weights: LinearWeights;
  /** [rows, in] -> [rows, out] */
  linear(x: tf.Tensor2D, weight: LinearWeight, term?: LoraTerm, options?: LinearOptions): tf.Tensor2D;
  /** Rows of a table: [n, width] -> [indices.length, width]. Its gradient adds rows up where indices repeat. */
  rows(table: tf.Tensor2D, indices: Int32Array): tf.Tensor2D;
  /** Each consecutive group of weight.size values is normalised: rows, or the heads of a row. */
  rmsNorm(x: tf.Tensor2D, weight: tf.Tensor1D, eps: number): tf.Tensor2D;
  /** Rotates [rows, heads * headDim] to the positions of its rows. */
  rope(x: tf.Tensor2D, positions: Int32Array, table: RopeTable): tf.Tensor2D;
  /** Causal attention of packed sequences: q [rows, heads * headDim], k and v [rows, kvHeads * headDim]. */
  attention(
    qkv: { readonly q: tf.Tensor2D; readonly k: tf.Tensor2D; readonly v: tf.Tensor2D },
    shape: AttentionShape,
    spans: readonly AttentionSpan[],
  ): tf.Tensor2D;
  /** The same with keys and values from caches, one per span, and no gradient. */
  cachedAttention(
    q: tf.Tensor2D,
    caches: readonly CachedKeys[],
    shape: AttentionShape,
    spans: readonly AttentionSpan[],
  ): tf.Tensor2D;
  /** silu(gate) * up */
  swiglu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D;
  /** Per row of logits / temperature: log-probability of the target and entropy, in nats. */
  tokenLogprobs(
    logits: tf.Tensor2D,
    targets: Int32Array,
    temperature: number,
  ): { readonly logprobs: tf.Tensor1D; readonly entropy: tf.Tensor1D };
  /** Shows the values of tensors to `use`, without a copy and for the length of the call only: caches fill themselves from it. */
  read(tensors: readonly tf.Tensor2D[], use: (views: readonly Float32Array[]) => void): void;
}

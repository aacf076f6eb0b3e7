import type { Engine } from '../../backend.ts';
import * as tf from '../../tf.ts';
import { batchMatMul, joined, matMul, multiply, part, shaped } from './arithmetic.ts';
import { causalSoftmax, causalSoftmaxGradient } from './causal-softmax.ts';
import { column, listOf, run } from './tensorflow.ts';

/** Sequences of one length, by key head: `heads` is their number times that of key heads. */
export interface Heads {
  /** [heads, group, length, headDim]: those of the query heads that share keys, already times the scale of the softmax. */
  readonly q: tf.Tensor4D;
  /** [heads, length, headDim] */
  readonly k: tf.Tensor3D;
  readonly v: tf.Tensor3D;
}

/** What the backward pass needs besides. */
export interface Attended {
  /** As the queries lie. */
  readonly out: tf.Tensor4D;
  /** Softmax of each block of queries: [heads, group * queries, keys]. None of long sequences: they are computed again. */
  readonly weights: readonly tf.Tensor3D[];
}

/**
 * Queries that are computed together. They look at the keys up to their last alone, so of the scores above the diagonal only those within
 * a block are worked out.
 */
const BLOCK = 128;

/** Sequences of more blocks do not keep their softmax, which grows with the square of the length, for the backward pass. */
const KEPT_BLOCKS = 4;

interface Block {
  readonly from: number;
  readonly to: number;
}

export function attendForward(engine: Engine, { q, k, v }: Heads): Attended {
  const group = q.shape[1];
  const blocks = blocksOf(q.shape[2]);
  const scores = blocks.map((block) => scoreBytes(q, block));
  const keeps = blocks.length <= KEPT_BLOCKS;
  // Scores, the same masked, and their softmax, of a block at a time.
  engine.checkMemory((keeps ? 2 : 3) * Math.max(...scores), ...(keeps ? scores : []));
  const done = blocks.map((block) =>
    tf.tidy(() => {
      const weights = softmaxOf(q, k, block);
      const out = withGroup(batchMatMul(weights, keysOf(v, block)), group);
      return { out, weights: keeps ? [weights] : [] };
    }),
  );
  const out = joined(
    done.map((block) => block.out),
    2,
  );
  return { out, weights: done.flatMap(({ weights }) => weights) };
}

/** Gradients of what `attendForward` gives, for the scaled queries, the keys and the values. */
export function attendBackward(
  engine: Engine,
  { q, k, v }: Heads,
  { out, weights }: Attended,
  dOut: tf.Tensor4D,
): Heads {
  const [group, length] = [q.shape[1], q.shape[2]];
  const blocks = blocksOf(length);
  const largest = Math.max(...blocks.map((block) => scoreBytes(q, block)));
  // Gradients of softmax and scores and what lies between, after the softmax itself where it was not kept; keys' and values' of each block.
  engine.checkMemory(
    (weights.length > 0 ? 3 : 6) * largest,
    2 * blocks.length * Float32Array.BYTES_PER_ELEMENT * k.size,
  );
  const drift = rowSums(multiply(dOut, out));
  const done = blocks.map((block, i) =>
    tf.tidy(() => {
      const [ofBlock, dBlock] = [weights[i] ?? softmaxOf(q, k, block), queriesOf(dOut, block)];
      const dWeights = batchMatMul(dBlock, keysOf(v, block), 'b');
      const dScores = causalSoftmaxGradient(ofBlock, dWeights, queriesOf(drift, block));
      return {
        dq: withGroup(batchMatMul(dScores, keysOf(k, block)), group),
        dk: upTo(length, batchMatMul(dScores, queriesOf(q, block), 'a')),
        dv: upTo(length, batchMatMul(ofBlock, dBlock, 'a')),
      };
    }),
  );
  const dq = joined(
    done.map((block) => block.dq),
    2,
  );
  return { q: dq, k: total(done.map(({ dk }) => dk)), v: total(done.map(({ dv }) => dv)) };
}

/** Of the scores of a block, all heads together. */
function scoreBytes(q: tf.Tensor4D, { from, to }: Block): number {
  return Float32Array.BYTES_PER_ELEMENT * q.shape[0] * q.shape[1] * (to - from) * to;
}

function softmaxOf(q: tf.Tensor4D, k: tf.Tensor3D, block: Block): tf.Tensor3D {
  return causalSoftmax(batchMatMul(queriesOf(q, block), keysOf(k, block), 'b'), block.to - block.from);
}

function blocksOf(length: number): Block[] {
  return Array.from({ length: Math.ceil(length / BLOCK) }, (_, i) => ({
    from: i * BLOCK,
    to: Math.min(length, (i + 1) * BLOCK),
  }));
}

/** [heads, group * queries, width] */
function queriesOf(values: tf.Tensor4D, { from, to }: Block): tf.Tensor3D {
  const [heads, group, length, width] = values.shape;
  const block = to - from === length ? values : part(values, [0, 0, from, 0], [heads, group, to - from, width]);
  return shaped(block, [heads, group * (to - from), width]);
}

function keysOf(values: tf.Tensor3D, { to }: Block): tf.Tensor3D {
  const [heads, length, width] = values.shape;
  return to === length ? values : part(values, [0, 0, 0], [heads, to, width]);
}

function withGroup(values: tf.Tensor3D, group: number): tf.Tensor4D {
  const [heads, queries, width] = values.shape;
  return shaped(values, [heads, group, queries / group, width]);
}

/** [..., width] -> [..., 1] */
function rowSums(values: tf.Tensor4D): tf.Tensor4D {
  const [heads, group, length, width] = values.shape;
  const rows = shaped<tf.Tensor2D>(values, [heads * group * length, width]);
  return shaped(matMul(rows, column(width, 1)), [heads, group, length, 1]);
}

/** Gradients of the first keys as those of all. */
function upTo(length: number, values: tf.Tensor3D): tf.Tensor3D {
  const keys = values.shape[1];
  return keys === length ? values : run('Pad', [values, tf.tensor2d([0, 0, 0, length - keys, 0, 0], [3, 2], 'int32')]);
}

function total(values: readonly tf.Tensor3D[]): tf.Tensor3D {
  return values.length === 1 ? values[0]! : run('AddN', values, listOf(values.length));
}

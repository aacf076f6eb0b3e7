import * as tf from '../../tf.ts';
import { add, batchMatMul, joined, matMul, multiply, part, shaped, subtract } from './arithmetic.ts';
import { causalMask } from './causal-mask.ts';
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
  /** Softmax of each block of queries: [heads, group * queries, keys]. */
  readonly weights: readonly tf.Tensor3D[];
}

/**
 * Queries that are computed together. They look at the keys up to their last alone, so of the scores above the diagonal only those within
 * a block are worked out.
 */
const BLOCK = 128;

interface Block {
  readonly from: number;
  readonly to: number;
}

export function attendForward({ q, k, v }: Heads): Attended {
  const group = q.shape[1];
  const done = blocksOf(q.shape[2]).map((block) => {
    const scores = batchMatMul(queriesOf(q, block), keysOf(k, block), 'b');
    const weights = shaped<tf.Tensor3D>(run('Softmax', [masked(scores, group, block)]), scores.shape);
    return { weights, out: withGroup(batchMatMul(weights, keysOf(v, block)), group) };
  });
  const out = joined(
    done.map((block) => block.out),
    2,
  );
  return { out, weights: done.map(({ weights }) => weights) };
}

/** Gradients of what `attendForward` gives, for the scaled queries, the keys and the values. */
export function attendBackward({ q, k, v }: Heads, { out, weights }: Attended, dOut: tf.Tensor4D): Heads {
  const [group, length] = [q.shape[1], q.shape[2]];
  const drift = rowSums(multiply(dOut, out));
  const done = blocksOf(length).map((block, i) => {
    const [softmax, dBlock] = [weights[i]!, queriesOf(dOut, block)];
    const dWeights = batchMatMul(dBlock, keysOf(v, block), 'b');
    const dScores = multiply(softmax, subtract(dWeights, queriesOf(drift, block)));
    return {
      dq: withGroup(batchMatMul(dScores, keysOf(k, block)), group),
      dk: upTo(length, batchMatMul(dScores, queriesOf(q, block), 'a')),
      dv: upTo(length, batchMatMul(softmax, dBlock, 'a')),
    };
  });
  const dq = joined(
    done.map((block) => block.dq),
    2,
  );
  return { q: dq, k: total(done.map(({ dk }) => dk)), v: total(done.map(({ dv }) => dv)) };
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

/** Scores of each query head, those of later keys far below all others. */
function masked(scores: tf.Tensor3D, group: number, block: Block): tf.Tensor3D {
  const [heads, queries, keys] = scores.shape;
  const perHead = shaped<tf.Tensor3D>(scores, [heads * group, queries / group, keys]);
  return add(perHead, causalMask(block.from, block.to));
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

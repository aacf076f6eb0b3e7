import * as tf from '@tensorflow/tfjs';
import type { AttentionShape, AttentionSpan } from '../../../services/model/kernels/attention.ts';
import type { FrozenLinear, Kernels } from '../../../services/model/kernels/kernels.ts';

/**
 * The decoder's operations written with tfjs alone, as one would write them first, with tfjs's own gradients. They run on every backend, so they are
 * what the wasm kernels are measured against on the pure JavaScript one.
 */
export function createPlainKernels(): Kernels {
  return {
    // Of which only the products are used: gradients are tfjs's own.
    weights: {
      trained: plain,
      frozen: plain,
      nf4: () => {
        throw new Error('the plain kernels have no weights in 4 bits');
      },
      tiedTrained: (embedding) => plain(tf.transpose(embedding), undefined),
      tiedFrozen: (embedding) => plain(tf.keep(tf.transpose(embedding)), undefined),
    },
    linear(x, weight, term) {
      const product = weight.times(x);
      const base = weight.bias ? tf.add(product, weight.bias) : product;
      if (!term) return base as tf.Tensor2D;
      const input = term.mask ? tf.mul(x, term.mask) : x;
      return tf.add(base, tf.mul(tf.matMul(tf.matMul(input as tf.Tensor2D, term.a), term.b), term.scale));
    },
    rows: (table, indices) => tf.gather(table, tf.tensor1d(indices, 'int32')),
    rmsNorm(x, weight, eps) {
      const grouped = tf.reshape(x, [-1, weight.size]);
      const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(grouped), 1, true), eps));
      return tf.reshape(tf.mul(tf.mul(grouped, inverse), weight), x.shape);
    },
    rope(x, positions, table) {
      const [rows, width] = x.shape;
      const half = table.headDim / 2;
      const { cos, sin } = table.upTo(Math.max(...positions) + 1);
      const at = tf.tensor1d(positions, 'int32');
      const angles = (values: Float32Array) =>
        tf.expandDims(tf.gather(tf.tensor2d(values, [values.length / half, half]), at), 1);
      const heads = tf.reshape(x, [rows, width / table.headDim, table.headDim]);
      const [a, b] = tf.split(heads, 2, 2) as [tf.Tensor, tf.Tensor];
      const [c, s] = [angles(cos), angles(sin)];
      const turned = tf.concat([tf.sub(tf.mul(a, c), tf.mul(b, s)), tf.add(tf.mul(b, c), tf.mul(a, s))], 2);
      return tf.reshape(turned, [rows, width]);
    },
    attention: ({ q, k, v }, shape, spans) =>
      tf.concat(
        spans.map((span) => attendOne(q, k, v, shape, span)),
        0,
      ),
    cachedAttention: () => {
      throw new Error('the plain kernels train; they have no caches');
    },
    swiglu: (gate, up) => tf.mul(tf.mul(gate, tf.sigmoid(gate)), up),
    tokenLogprobs(logits, targets, temperature) {
      const logs = tf.logSoftmax(tf.div(logits, temperature) as tf.Tensor2D);
      const chosen = tf.oneHot(tf.tensor1d(targets, 'int32'), logits.shape[1]);
      const logprobs: tf.Tensor1D = tf.sum(tf.mul(logs, chosen), 1);
      return { logprobs, entropy: tf.neg(tf.sum<tf.Tensor1D>(tf.mul(tf.exp(logs), logs), 1)) };
    },
    read: (tensors, use) => use(tensors.map((tensor) => tensor.dataSync() as Float32Array)),
  };
}

function plain(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined): FrozenLinear {
  const unused = () => {
    throw new Error('the plain kernels have the gradients of tfjs');
  };
  return {
    shape: matrix.shape,
    ...(bias && { bias }),
    trained: [],
    scratch: () => [],
    times: (x) => tf.matMul(x, matrix),
    timesTransposed: unused,
    gradients: unused,
    values: () => matrix.dataSync() as Float32Array,
    dispose: () => matrix.dispose(),
  };
}

function attendOne(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  { heads, kvHeads, headDim }: AttentionShape,
  { queryStart, queryLength: length }: AttentionSpan,
): tf.Tensor2D {
  const split = (x: tf.Tensor2D, count: number) => {
    const rows = tf.slice(x, [queryStart, 0], [length, count * headDim]);
    return tf.transpose(tf.reshape(rows, [length, count, headDim]), [1, 0, 2]);
  };
  const shared = (x: tf.Tensor2D) => {
    const group = heads / kvHeads;
    const repeated = tf.tile(tf.expandDims(split(x, kvHeads), 1), [1, group, 1, 1]);
    return tf.reshape(repeated, [heads, length, headDim]);
  };
  const scores = tf.mul(tf.matMul(split(q, heads), shared(k), false, true), headDim ** -0.5);
  const hidden = tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([length, length]), -1, 0)), -1e9);
  const weights = tf.softmax(tf.add(scores, hidden));
  const mixed = tf.transpose(tf.matMul(weights, shared(v)), [1, 0, 2]);
  return tf.reshape(mixed, [length, heads * headDim]);
}

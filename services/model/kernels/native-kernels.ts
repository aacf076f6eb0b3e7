import type { Engine } from '../backend.ts';
import * as tf from '../tf.ts';
import type { Kernels } from './kernels.ts';
import { attention } from './native/attention.ts';
import { linear } from './native/linear.ts';
import { rmsNorm } from './native/rms-norm.ts';
import { rope } from './native/rope.ts';
import { rows } from './native/rows.ts';
import { swiglu } from './native/swiglu.ts';
import { tokenLogprobs } from './native/token-logprobs.ts';
import { nativeWeights } from './native/weights.ts';
import { pagedAttention } from './paged-attention.ts';

/** The kernels on TensorFlow, through tfjs's node backend: few large operations, each with a gradient of its own. */
export function createNativeKernels(engine: Engine): Kernels {
  return {
    weights: nativeWeights,
    linear: (x, weight, term, options) => {
      // Value and gradient of the input, which is the larger of the two on the way down.
      engine.checkMemory(4 * x.shape[0] * Math.max(...weight.shape));
      return linear(x, weight, term, options);
    },
    rows,
    rmsNorm,
    rope,
    attention,
    cachedAttention,
    swiglu,
    tokenLogprobs: (logits, targets, temperature) => {
      engine.checkMemory(4 * logits.size);
      return tokenLogprobs(logits, targets, temperature);
    },
    read: (tensors, use) => use(tensors.map((tensor) => tensor.dataSync() as Float32Array)),
  };
}

/** Caches lie outside the engine, so this does: a token's own share of attention is small beside its products. */
const cachedAttention: Kernels['cachedAttention'] = (q, caches, shape, spans) => {
  const [queries, out] = [q.dataSync() as Float32Array, new Float32Array(q.size)];
  pagedAttention(shape, spans, caches, queries, out);
  return tf.tensor2d(out, q.shape);
};

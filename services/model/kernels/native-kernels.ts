import type { Engine } from '../backend.ts';
import * as tf from '../tf.ts';
import type { Kernels } from './kernels.ts';
import { attention } from './native/attention.ts';
import { fusedRmsNorm, fusedRope, fusedSwiglu, hasFusedOperations } from './native/fused.ts';
import { fusedAttention } from './native/fused-attention.ts';
import { fusedLinear } from './native/fused-linear.ts';
import { linear } from './native/linear.ts';
import { composedProducts, fusedProducts } from './native/products.ts';
import { rmsNorm } from './native/rms-norm.ts';
import { rope } from './native/rope.ts';
import { rows } from './native/rows.ts';
import { swiglu } from './native/swiglu.ts';
import { tokenLogprobs } from './native/token-logprobs.ts';
import { createNativeWeights } from './native/weights.ts';
import { pagedAttention } from './paged-attention.ts';

/**
 * The kernels on TensorFlow, through tfjs's node backend: few large operations, each with a gradient of its own.
 * @param fused whether most is done by operations of our own; default: where the addon brings them
 */
export function createNativeKernels(engine: Engine, fused = hasFusedOperations(engine)): Kernels {
  return {
    weights: createNativeWeights(fused ? fusedProducts : composedProducts),
    linear: (...of) => (fused ? fusedLinear : linear)(engine, ...of),
    rows,
    rmsNorm: fused ? fusedRmsNorm : rmsNorm,
    rope: fused ? fusedRope : rope,
    attention: (...of) => (fused ? fusedAttention : attention)(engine, ...of),
    cachedAttention,
    swiglu: fused ? fusedSwiglu : swiglu,
    tokenLogprobs: (...of) => tokenLogprobs(engine, ...of),
    read: (tensors, use) => use(tensors.map((tensor) => tensor.dataSync() as Float32Array)),
  };
}

/** Caches lie outside the engine, so this does: a token's own share of attention is small beside its products. */
const cachedAttention: Kernels['cachedAttention'] = (q, caches, shape, spans) => {
  const [queries, out] = [q.dataSync() as Float32Array, new Float32Array(q.size)];
  pagedAttention(shape, spans, caches, queries, out);
  return tf.tensor2d(out, q.shape);
};

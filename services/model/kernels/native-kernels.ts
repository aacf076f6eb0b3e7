import type { Engine } from '../backend.ts';
import * as tf from '../tf.ts';
import type { Kernels } from './kernels.ts';
import { attention } from './native/attention.ts';
import { composedSoftmax } from './native/causal-softmax.ts';
import { fusedRmsNorm, fusedRope, fusedSoftmax, fusedSwiglu, hasFusedOperations } from './native/fused.ts';
import { linear } from './native/linear.ts';
import { rmsNorm } from './native/rms-norm.ts';
import { rope } from './native/rope.ts';
import { rows } from './native/rows.ts';
import { swiglu } from './native/swiglu.ts';
import { tokenLogprobs } from './native/token-logprobs.ts';
import { nativeWeights } from './native/weights.ts';
import { pagedAttention } from './paged-attention.ts';

/**
 * The kernels on TensorFlow, through tfjs's node backend: few large operations, each with a gradient of its own.
 * @param fused whether what lies between products is done by operations of our own; default: where the addon brings them
 */
export function createNativeKernels(engine: Engine, fused = hasFusedOperations(engine)): Kernels {
  return {
    weights: nativeWeights,
    linear: (...of) => linear(engine, ...of),
    rows,
    rmsNorm: fused ? fusedRmsNorm : rmsNorm,
    rope: fused ? fusedRope : rope,
    attention: (...of) => attention(engine, fused ? fusedSoftmax : composedSoftmax, ...of),
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

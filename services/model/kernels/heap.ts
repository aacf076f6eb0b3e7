import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '../tf.ts';

/**
 * Runs plain code on the engine's memory: `body` gets views of the inputs and of one fresh output, with no copy.
 * A view dies with the next allocation (the heap may move), so `body` allocates no tensor and keeps no view.
 *
 * @returns a tensor of `shape`, filled by `body`. Its memory starts out undefined.
 */
export function compute(
  inputs: readonly tf.Tensor[],
  shape: readonly number[],
  body: (out: Float32Array, ...views: Float32Array[]) => void,
): tf.Tensor {
  return computeMany(inputs, [shape], ([out], views) => body(out!, ...views))[0]!;
}

/** As `compute`, with several outputs. */
export function computeMany(
  inputs: readonly tf.Tensor[],
  shapes: readonly (readonly number[])[],
  body: (outs: Float32Array[], views: Float32Array[]) => void,
): tf.Tensor[] {
  const backend = tf.backend() as BackendWasm;
  const outs = shapes.map((shape) =>
    tf.engine().makeTensorFromTensorInfo(backend.makeOutput([...shape], 'float32'), backend),
  );
  body(outs.map(view), inputs.map(view));
  return outs;
}

/** The values of a tensor where they lie. Valid until the next allocation. */
export function view(tensor: tf.Tensor): Float32Array {
  return (tf.backend() as BackendWasm).typedArrayFromHeap(tensor) as Float32Array;
}

/** The engine's `WebAssembly.Memory`: code of our own can run on it, at the `byteOffset` of views. */
export function engineMemory(): object {
  const { wasm } = tf.backend() as BackendWasm;
  return (wasm as unknown as { readonly asm: { readonly memory: object } }).asm.memory;
}

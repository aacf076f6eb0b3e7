import * as tf from '../tf.ts';

/** The part of tfjs-node's backend that is metered: what TensorFlow holds, by the identity of the data. */
interface TensorStore {
  readonly tensorMap: {
    set(id: object, tensor: { readonly shape: readonly number[] }): void;
    delete(id: object): boolean;
  };
}

/** Bytes of the tensors that TensorFlow held at most since this was called, each counted once, however many clones it has. Every tensor is of 4 bytes a number. */
export function meterTensors(): { peakBytes(): number } {
  const { tensorMap } = tf.backend() as unknown as TensorStore;
  const { set, delete: remove } = tensorMap;
  const sizes = new Map<object, number>();
  let [held, peak] = [0, 0];
  tensorMap.set = (id, tensor) => {
    const bytes = 4 * tensor.shape.reduce((product, size) => product * size, 1);
    held += bytes - (sizes.get(id) ?? 0);
    sizes.set(id, bytes);
    peak = Math.max(peak, held);
    set.call(tensorMap, id, tensor);
  };
  tensorMap.delete = (id) => {
    held -= sizes.get(id) ?? 0;
    sizes.delete(id);
    return remove.call(tensorMap, id);
  };
  return { peakBytes: () => peak };
}

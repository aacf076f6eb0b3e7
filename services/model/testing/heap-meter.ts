import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '../tf.ts';

/** What the engine's memory held at most while something ran. */
export interface HeapUse {
  /** Bytes of tensors, each counted once, however many clones it has. */
  readonly tensors: number;
  /** Where the highest tensor ended: with what the engine keeps beside tensors (packed matrices) and with gaps. */
  readonly top: number;
}

interface Allocator {
  _malloc(bytes: number): number;
  _free(address: number): void;
}

/**
 * Meters the tensors that `work` makes, on top of what there is. The heap's own size says less: it grows by a fifth at a time and never shrinks.
 * Start the process anew for each measurement whose `top` counts: gaps of earlier ones are filled first.
 */
export function meterHeap(): { peak(): HeapUse; end(): void } {
  const heap = (tf.backend() as BackendWasm).wasm as unknown as Allocator;
  const { _malloc: malloc, _free: free } = heap;
  const sizes = new Map<number, number>();
  let [held, tensors, top] = [0, 0, 0];
  heap._malloc = (bytes) => {
    const address = malloc.call(heap, bytes);
    sizes.set(address, bytes);
    held += bytes;
    tensors = Math.max(tensors, held);
    // Above 2 GiB addresses come as negative numbers.
    top = Math.max(top, (address >>> 0) + bytes);
    return address;
  };
  heap._free = (address) => {
    held -= sizes.get(address) ?? 0;
    sizes.delete(address);
    free.call(heap, address);
  };
  return { peak: () => ({ tensors, top }), end: () => Object.assign(heap, { _malloc: malloc, _free: free }) };
}

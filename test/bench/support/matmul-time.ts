import { engineMemory } from '../../../services/model/kernels/heap.ts';
import { threadsOf } from '../../../services/model/kernels/threads/threads.ts';

const PRODUCTS: readonly string[] = ['product', 'transposedProduct'];

/** Adds up the time that wasm spends in products with weights, and for their gradients, until `stop`, which gives it in milliseconds. */
export function timeMatmuls(): { stop(): number } {
  const threads = threadsOf(engineMemory());
  const { run } = threads;
  let total = 0;
  threads.run = (job, parameters, chunks) => {
    const start = performance.now();
    run(job, parameters, chunks);
    if (PRODUCTS.includes(job)) total += performance.now() - start;
  };
  return {
    stop() {
      threads.run = run;
      return total;
    },
  };
}

import * as tf from '@tensorflow/tfjs';

const PRODUCTS = ['BatchMatMul', '_FusedMatMul'] as const;

/** Adds up the time that a backend spends in products of matrices, until `stop`, which gives it in milliseconds. */
export function timeMatmuls(backendName: 'wasm'): { stop(): number } {
  const originals = PRODUCTS.map((name) => tf.getKernel(name, backendName)!);
  let total = 0;
  for (const original of originals) {
    replace({
      ...original,
      kernelFunc: (params) => {
        const start = performance.now();
        const result = original.kernelFunc(params);
        total += performance.now() - start;
        return result;
      },
    });
  }
  return {
    stop() {
      for (const original of originals) replace(original);
      return total;
    },
  };
}

function replace(kernel: tf.KernelConfig): void {
  tf.unregisterKernel(kernel.kernelName, kernel.backendName);
  tf.registerKernel(kernel);
}

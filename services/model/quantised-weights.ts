import { dequantiseNf4, quantiseNf4 } from './nf4.ts';
import { PROJECTIONS } from './parameters.ts';
import type { WeightSource } from './weights.ts';

const QUANTISED = new RegExp(`^model\\.layers\\.\\d+\\.\\w+\\.(${PROJECTIONS.join('|')})\\.weight$`);

/** Whether QLoRA keeps a weight in 4 bits: the projections of the layers. Embeddings, norms, biases and the output projection stay as they are. */
export function isQuantised(name: string): boolean {
  return QUANTISED.test(name);
}

/** Weights with the values that 4 bits leave of them, in float32: who computes with these gets the bits of who keeps them packed. */
export function roundedToNf4(source: WeightSource): WeightSource {
  return {
    async read(name) {
      const weight = await source.read(name);
      if (!isQuantised(name)) return weight;
      const packed = quantiseNf4(weight.data, weight.shape);
      dequantiseNf4(packed, 0, weight.data);
      return weight;
    },
  };
}

import type { PeftAdapter } from '../../model/peft.ts';
import type { Weights } from '../../model/weights.ts';

const LORA_A = /^base_model\.model\.(.+)\.lora_A\.weight$/;

/** Weights with an adapter added in: W + scale B A, all in the layout of the disk (W [out, in], A [r, in], B [out, r]). */
export function mergeAdapter(weights: Weights, adapter: PeftAdapter | null): Weights {
  if (adapter === null) return weights;
  const { r, alpha, rslora } = adapter.config;
  const scale = alpha / (rslora === true ? Math.sqrt(r) : r);
  const merged = new Map(weights);
  for (const [name, a] of adapter.weights) {
    const module = LORA_A.exec(name)?.[1];
    if (module === undefined) continue;
    const b = adapter.weights.get(name.replace('.lora_A.', '.lora_B.'))!;
    const weight = weights.get(`${module}.weight`)!;
    const [out, inner] = [weight.shape[0]!, weight.shape[1]!];
    const data = weight.data.slice();
    for (let row = 0; row < out; row++) {
      for (let k = 0; k < r; k++) {
        const factor = scale * b.data[row * r + k]!;
        for (let column = 0; column < inner; column++) {
          data[row * inner + column] = data[row * inner + column]! + factor * a.data[k * inner + column]!;
        }
      }
    }
    merged.set(`${module}.weight`, { shape: weight.shape, data });
  }
  return merged;
}

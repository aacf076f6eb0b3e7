import { loraName, loraScale } from '../../model/lora.ts';
import type { PeftAdapter } from '../../model/peft.ts';
import type { TensorData } from '../../model/safetensors.ts';
import type { WeightSource } from '../../model/weights.ts';

/**
 * Weights with an adapter added in. They are the model's own in full precision, also when the adapter was trained beside their 4-bit copy:
 * what is merged into those comes out rounded anew.
 */
export function withAdapter(source: WeightSource, adapter: PeftAdapter | null): WeightSource {
  if (adapter === null) return source;
  return { read: async (name) => mergeAdapter(name, await source.read(name), adapter) };
}

/** W + scale B A, all in the layout of the disk (W [out, in], A [r, in], B [out, r]); a weight that is not adapted stays as it is. */
export function mergeAdapter(name: string, weight: TensorData, adapter: PeftAdapter): TensorData {
  const module = name.replace(/\.weight$/, '');
  const a = adapter.weights.get(loraName(module, 'A'));
  const b = adapter.weights.get(loraName(module, 'B'));
  if (a === undefined || b === undefined) return weight;
  const { r } = adapter.config;
  const scale = loraScale(adapter.config);
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
  return { shape: weight.shape, data };
}

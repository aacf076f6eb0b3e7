import { mkdir } from 'node:fs/promises';
import { initialLoraWeights } from '../../model/lora.ts';
import { PROJECTIONS } from '../../model/parameters.ts';
import { writePeftAdapter } from '../../model/peft.ts';
import { fillNormal } from '../../model/random.ts';
import { loadConfig } from '../../model/weights.ts';

/** Writes an adapter that changes what the model says into a directory, which is made. */
export async function writeRandomAdapter(
  directory: string,
  { model, seed, r = 8 }: { readonly model: string; readonly seed: number; readonly r?: number },
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const { config: shape } = await loadConfig(model);
  const config = { r, alpha: 16, dropout: 0, targetModules: PROJECTIONS };
  const weights = initialLoraWeights(config, shape, seed);
  let index = 0;
  for (const [tensor, { data }] of weights) if (tensor.includes('lora_B')) fillNormal(data, 0.3, seed, ++index);
  await writePeftAdapter(directory, { config, weights, baseModel: model });
}

import type { Engine } from '../../model/backend.ts';
import { createDecoder, type Decoder } from '../../model/decoder.ts';
import { createWasmKernels } from '../../model/kernels/wasm-kernels.ts';
import { loadConfig, loadWeights } from '../../model/weights.ts';

/**
 * Loads a Hugging Face model directory into the engine, frozen.
 * @throws ModelError when it is not a model this engine runs; EngineMemoryError when it does not fit beside what is loaded.
 */
export async function loadDecoder(engine: Engine, directory: string): Promise<Decoder> {
  const { config } = await loadConfig(directory);
  const weights = await loadWeights(directory, config);
  const tied = config.tieWordEmbeddings ? config.vocabSize * config.hiddenSize : 0;
  const values = [...weights.values()].reduce((sum, { data }) => sum + data.length, tied);
  engine.checkMemory(values * Float32Array.BYTES_PER_ELEMENT);
  return createDecoder({ config, weights, kernels: createWasmKernels(engine) });
}

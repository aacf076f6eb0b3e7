import type { Engine } from '../../model/backend.ts';
import { type Decoder, loadDecoder as loadFrom } from '../../model/decoder.ts';
import { createKernels } from '../../model/kernels/create-kernels.ts';
import { parameterSpecs } from '../../model/parameters.ts';
import { roundedToNf4 } from '../../model/quantised-weights.ts';
import { loadConfig, readingWeights } from '../../model/weights.ts';

/**
 * Loads a Hugging Face model directory into the engine, frozen.
 *
 * @param rounded compute with the values that the projections have in 4 bits. They are held in float32: unpacking them for every token
 *   would take longer than the token.
 * @throws ModelError when it is not a model this engine runs; EngineMemoryError when it does not fit beside what is loaded.
 */
export async function loadDecoder(engine: Engine, directory: string, rounded = false): Promise<Decoder> {
  const { config } = await loadConfig(directory);
  const tied = config.tieWordEmbeddings ? [[config.vocabSize, config.hiddenSize]] : [];
  const shapes = [...parameterSpecs(config).map(({ shape }) => shape), ...tied];
  engine.checkMemory(...shapes.map((shape) => shape.reduce((a, b) => a * b, Float32Array.BYTES_PER_ELEMENT)));
  const kernels = createKernels(engine);
  return readingWeights(directory, config, (source) =>
    loadFrom({ config, source: rounded ? roundedToNf4(source) : source, kernels, storage: 'frozen' }),
  );
}

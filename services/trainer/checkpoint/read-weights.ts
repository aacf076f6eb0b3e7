import path from 'node:path';
import type { WeightsLocation } from '../../contracts/checkpoint-layout.ts';
import type { ModelConfig } from '../../contracts/model-config.ts';
import { parameterSpecs } from '../../model/parameters.ts';
import { type PeftAdapter, readPeftAdapter } from '../../model/peft.ts';
import type { TensorData } from '../../model/safetensors.ts';
import { loadWeights, type Weights } from '../../model/weights.ts';
import { CheckpointError } from './checkpoint-error.ts';
import type { PyDict } from './pickle-value.ts';
import { openTorchFile } from './torch-file.ts';
import type { StoredTensor } from './torch-globals.ts';
import { asDict, isStoredTensor } from './torch-value.ts';

export type LoadedWeights =
  | { readonly kind: 'lora'; readonly adapter: PeftAdapter }
  | { readonly kind: 'full'; readonly weights: Weights };

/** Keys under which training scripts put the state dict inside a `model.pt`. */
const WRAPPERS = ['model_state_dict', 'state_dict', 'model'];

/**
 * Reads the weights of a checkpoint, in the layout of the disk.
 *
 * @param config of the base model.
 * @throws ModelError or CheckpointError naming the tensor or the file.
 */
export async function readWeights(
  directory: string,
  location: WeightsLocation,
  config: ModelConfig,
): Promise<LoadedWeights> {
  const at = path.join(directory, location.path);
  switch (location.format) {
    case 'peft':
      return { kind: 'lora', adapter: await readPeftAdapter(at) };
    case 'safetensors':
      return { kind: 'full', weights: await loadWeights(at, config) };
    case 'torch':
      return { kind: 'full', weights: await readTorchWeights(at, config) };
  }
}

async function readTorchWeights(file: string, config: ModelConfig): Promise<Weights> {
  const torchFile = await openTorchFile(file);
  try {
    const tensors = stateDict(asDict(torchFile.value));
    const weights = new Map<string, TensorData>();
    for (const { name, shape } of parameterSpecs(config)) {
      const tensor = tensors.get(name);
      if (tensor === undefined)
        throw new CheckpointError('state_mismatch', file, `has no tensor ${name}, which this model needs`);
      if (tensor.shape.join() !== shape.join()) {
        throw new CheckpointError(
          'state_mismatch',
          file,
          `has shape [${tensor.shape}] for ${name}; this model has [${shape}]`,
        );
      }
      weights.set(name, { shape, data: await torchFile.readFloats(tensor) });
    }
    return weights;
  } finally {
    await torchFile.close();
  }
}

/** Tensors by name, without the `module.` that data-parallel training puts before each. */
function stateDict(root: PyDict<StoredTensor> | undefined): Map<string, StoredTensor> {
  const inner = WRAPPERS.map((key) => asDict(root?.get(key))).find((value) => value !== undefined) ?? root;
  const tensors = new Map<string, StoredTensor>();
  for (const [key, value] of inner ?? []) {
    if (typeof key === 'string' && isStoredTensor(value)) tensors.set(key.replace(/^module\./, ''), value);
  }
  return tensors;
}

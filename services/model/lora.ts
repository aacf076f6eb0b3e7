import type { ModelConfig } from '../contracts/model-config.ts';
import { ModelError } from '../contracts/model-error.ts';
import { modulePath, PROJECTIONS, type Projection, projectionSize } from './parameters.ts';
import { fillUniform, type Seed } from './random.ts';
import type { TensorData } from './safetensors.ts';
import * as tf from './tf.ts';
import { createVariable, readVariable, type TrainableVariable, toDiskLayout, toEngineTensor } from './trainable.ts';

/** Low-rank adaptation (Hu et al., 2021) as PEFT describes it. */
export interface LoraConfig {
  readonly r: number;
  readonly alpha: number;
  /** Probability that an input of an adapter is dropped in training. */
  readonly dropout: number;
  readonly targetModules: readonly Projection[];
  /** Scale by alpha / sqrt(r) instead of alpha / r (Kalajdzievski, 2023). */
  readonly rslora?: boolean;
}

/** What the product of the two matrices is multiplied by. */
export function loraScale({ alpha, r, rslora }: LoraConfig): number {
  return alpha / (rslora === true ? Math.sqrt(r) : r);
}

/** Adapter weights under their PEFT names, in the layout of the disk: A is [r, in], B is [out, r]. */
export type LoraWeights = ReadonlyMap<string, TensorData>;

export interface LoraAdapter {
  readonly config: LoraConfig;
  readonly scale: number;
  /** By module path, such as `model.layers.0.self_attn.q_proj`: A [in, r] and B [r, out]. */
  readonly modules: ReadonlyMap<string, LoraModule>;
  /** In file order; empty when the adapter is frozen. */
  readonly variables: readonly TrainableVariable[];
  export(): LoraWeights;
  dispose(): void;
}

export interface LoraModule {
  /** Place among all projections of the model; dropout masks differ by it. */
  readonly index: number;
  readonly a: tf.Tensor2D;
  readonly b: tf.Tensor2D;
}

/** A new adapter's weights as PEFT starts them: A uniform in +-1/sqrt(in) (Kaiming with a = sqrt 5), B zero. */
export function initialLoraWeights(config: LoraConfig, model: ModelConfig, seed: Seed): LoraWeights {
  const weights = new Map<string, TensorData>();
  for (const { path, index, size } of adaptedModules(config, model)) {
    const bound = size.in ** -0.5;
    const a = fillUniform(new Float32Array(config.r * size.in), -bound, bound, seed, index);
    weights.set(loraName(path, 'A'), { shape: [config.r, size.in], data: a });
    weights.set(loraName(path, 'B'), { shape: [size.out, config.r], data: new Float32Array(size.out * config.r) });
  }
  return weights;
}

/**
 * Moves an adapter into the engine, as variables when `trainable`.
 * @throws ModelError `invalid_adapter` for a tensor that is missing, has another shape, or belongs to no projection of the model.
 */
export function createLora(
  config: LoraConfig,
  model: ModelConfig,
  weights: LoraWeights,
  trainable: boolean,
): LoraAdapter {
  checkWeights(config, model, weights);
  const variables: TrainableVariable[] = [];
  const place = (name: string): tf.Tensor2D => {
    const tensor = weights.get(name)!;
    if (!trainable) return tf.keep(toEngineTensor(tensor, true)) as tf.Tensor2D;
    const made = createVariable(name, tensor, true);
    variables.push(made);
    return made.variable as tf.Tensor as tf.Tensor2D;
  };
  const modules = new Map(
    adaptedModules(config, model).map(({ path, index }) => [
      path,
      { index, a: place(loraName(path, 'A')), b: place(loraName(path, 'B')) },
    ]),
  );
  return {
    config,
    scale: loraScale(config),
    modules,
    variables,
    export: () => exportWeights(modules, variables),
    dispose() {
      for (const { a, b } of modules.values()) tf.dispose([a, b]);
    },
  };
}

/** PEFT's name of a tensor in `adapter_model.safetensors`. */
export function loraName(path: string, part: 'A' | 'B'): string {
  return `base_model.model.${path}.lora_${part}.weight`;
}

function adaptedModules(config: LoraConfig, model: ModelConfig) {
  return Array.from({ length: model.layers }, (_, layer) =>
    PROJECTIONS.map((projection, at) => ({
      projection,
      index: layer * PROJECTIONS.length + at,
      path: modulePath(layer, projection),
      size: projectionSize(model, projection),
    })),
  )
    .flat()
    .filter(({ projection }) => config.targetModules.includes(projection));
}

function checkWeights(config: LoraConfig, model: ModelConfig, weights: LoraWeights): void {
  const expected = new Map<string, readonly number[]>();
  for (const { path, size } of adaptedModules(config, model)) {
    expected.set(loraName(path, 'A'), [config.r, size.in]);
    expected.set(loraName(path, 'B'), [size.out, config.r]);
  }
  for (const [name, shape] of expected) {
    const found = weights.get(name)?.shape;
    if (found?.join() === shape.join()) continue;
    const problem = found === undefined ? 'is missing' : `has shape [${found}]`;
    throw new ModelError(
      'invalid_adapter',
      `adapter tensor ${name} ${problem}; the base model and r=${config.r} need [${shape}]`,
    );
  }
  const stray = [...weights.keys()].find((name) => !expected.has(name));
  if (stray === undefined) return;
  throw new ModelError('invalid_adapter', `adapter tensor ${stray} belongs to no target module of this base model`);
}

function exportWeights(modules: ReadonlyMap<string, LoraModule>, variables: readonly TrainableVariable[]): LoraWeights {
  if (variables.length > 0) return new Map(variables.map((entry) => [entry.name, readVariable(entry)]));
  const read = (name: string, tensor: tf.Tensor2D): readonly [string, TensorData] => {
    const shape = [tensor.shape[1], tensor.shape[0]];
    return [name, toDiskLayout({ name, shape, transposed: true }, tensor.dataSync() as Float32Array)];
  };
  return new Map(
    [...modules].flatMap(([path, { a, b }]) => [read(loraName(path, 'A'), a), read(loraName(path, 'B'), b)]),
  );
}

import type { ModelConfig } from '../contracts/model-config.ts';
import { ModelError } from '../contracts/model-error.ts';
import type { FrozenLinear, LinearWeight, LinearWeights, OwnedLinear } from './kernels/kernels.ts';
import { type Nf4Tensor, quantiseNf4 } from './nf4.ts';
import { type ParameterSpec, parameterSpecs } from './parameters.ts';
import { isQuantised } from './quantised-weights.ts';
import type { TensorData } from './safetensors.ts';
import * as tf from './tf.ts';
import { createVariable, readVariable, type TrainableVariable, toDiskLayout, toEngineTensor } from './trainable.ts';
import type { WeightSource, Weights } from './weights.ts';

/** A model's weights in the engine: projections as [in, out], everything else as on disk. */
export interface ParameterStore {
  /** Empty when the model is frozen. */
  readonly variables: readonly TrainableVariable[];
  /** A norm's weight, by its full name. */
  vector(name: string): tf.Tensor1D;
  /** A projection, by its module path. */
  linear(path: string): LinearWeight;
  embedding(): tf.Tensor2D;
  /** The output projection: the embedding's transpose when the two are tied. */
  head(): LinearWeight;
  /** All weights under their Hugging Face names, in the layout of the disk. */
  export(): Weights;
  dispose(): void;
}

const EMBEDDING = 'model.embed_tokens.weight';
const HEAD = 'lm_head.weight';

/** How weights are kept: constants, variables that training changes, or constants whose projections are in 4 bits. */
export type WeightStorage = 'frozen' | 'trainable' | 'nf4';

type Placed = TrainableVariable | tf.Tensor | Nf4Tensor;

/** Moves weights, which fit the config, into the engine, one after the other: no more than one is in memory twice. */
export async function loadParameterStore(
  config: ModelConfig,
  source: WeightSource,
  storage: WeightStorage,
  weights: LinearWeights,
): Promise<ParameterStore> {
  const placed = new Map<string, Placed>();
  try {
    for (const spec of parameterSpecs(config))
      placed.set(spec.name, place(spec, await source.read(spec.name), storage));
  } catch (error) {
    for (const entry of placed.values()) disposePlaced(entry);
    throw error;
  }
  return storeOf(config, placed, weights);
}

function place(spec: ParameterSpec, tensor: TensorData, storage: WeightStorage): Placed {
  const projection = isProjection(spec);
  if (storage === 'trainable') return createVariable(spec.name, tensor, projection);
  if (storage === 'nf4' && isQuantised(spec.name)) return quantiseNf4(tensor.data, tensor.shape);
  return tf.keep(toEngineTensor(tensor, projection));
}

function storeOf(config: ModelConfig, placed: ReadonlyMap<string, Placed>, weights: LinearWeights): ParameterStore {
  const variables = [...placed.values()].filter(isVariable);
  const linears = new Map<string, OwnedLinear>();
  const frozen = new Map<string, FrozenLinear>();

  function get(name: string): Placed {
    const found = placed.get(name);
    if (found === undefined) throw new ModelError('missing_tensor', `the model has no weight ${name}`);
    return found;
  }

  function tensor(name: string): tf.Tensor {
    const found = get(name);
    if (isNf4(found)) throw new Error(`${name} is kept in 4 bits`);
    return isVariable(found) ? found.variable : found;
  }

  /** Made once: what is made beside the weights is kept with it. */
  function owned(path: string, make: () => OwnedLinear): OwnedLinear {
    const made = linears.get(path) ?? make();
    linears.set(path, made);
    return made;
  }

  function linearOf(path: string): LinearWeight {
    const matrix = get(`${path}.weight`);
    const bias = placed.has(`${path}.bias`) ? (tensor(`${path}.bias`) as tf.Tensor1D) : undefined;
    if (isNf4(matrix)) return owned(path, () => weights.nf4(matrix, bias));
    if (isVariable(matrix)) return weights.trained(matrix.variable as tf.Tensor as tf.Tensor2D, bias);
    return owned(path, () => {
      const made = weights.frozen(matrix as tf.Tensor2D, bias);
      frozen.set(`${path}.weight`, made);
      return made;
    });
  }

  function tiedHead(): LinearWeight {
    const embedding = tensor(EMBEDDING) as tf.Tensor2D;
    return variables.length > 0 ? weights.tiedTrained(embedding) : owned(HEAD, () => weights.tiedFrozen(embedding));
  }

  function head(): LinearWeight {
    return config.tieWordEmbeddings ? tiedHead() : linearOf('lm_head');
  }

  function readBack(spec: ParameterSpec): TensorData {
    const found = get(spec.name);
    if (isNf4(found)) throw new Error(`${spec.name} is kept in 4 bits: its own values are in the model directory only`);
    if (isVariable(found)) return readVariable(found);
    const values = frozen.get(spec.name)?.values() ?? (found.dataSync() as Float32Array);
    return toDiskLayout({ ...spec, transposed: isProjection(spec) }, values);
  }

  return {
    variables,
    vector: (name) => tensor(name) as tf.Tensor1D,
    linear: linearOf,
    embedding: () => tensor(EMBEDDING) as tf.Tensor2D,
    head,
    export: () => new Map(parameterSpecs(config).map((spec) => [spec.name, readBack(spec)])),
    dispose() {
      for (const linear of linears.values()) linear.dispose();
      for (const entry of placed.values()) disposePlaced(entry);
    },
  };
}

function isVariable(placed: Placed): placed is TrainableVariable {
  // Tensors have a method of that name.
  return !(placed instanceof tf.Tensor) && 'variable' in placed;
}

function isNf4(placed: Placed): placed is Nf4Tensor {
  return 'packed' in placed;
}

function disposePlaced(placed: Placed): void {
  if (isVariable(placed)) placed.variable.dispose();
  else if (!isNf4(placed)) placed.dispose();
}

/** The embedding stays [vocabulary, hidden]: its rows are looked up. */
function isProjection({ name, shape }: ParameterSpec): boolean {
  return shape.length === 2 && name !== EMBEDDING;
}

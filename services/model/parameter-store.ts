import * as tf from '@tensorflow/tfjs';
import type { ModelConfig } from './config.ts';
import { ModelError } from './errors.ts';
import type { LinearWeight } from './kernels/kernels.ts';
import { type ParameterSpec, parameterSpecs } from './parameters.ts';
import { createVariable, readVariable, type TrainableVariable, toDiskLayout, toEngineTensor } from './trainable.ts';
import type { Weights } from './weights.ts';

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

/**
 * Moves weights into the engine, as variables when `trainable`.
 * @throws ModelError `missing_tensor` or `tensor_shape` when the weights do not fit the config.
 */
export function createParameterStore(config: ModelConfig, weights: Weights, trainable: boolean): ParameterStore {
  const specs = parameterSpecs(config);
  for (const spec of specs) checkSpec(spec, weights);
  const variables = trainable
    ? specs.map((spec) => createVariable(spec.name, weights.get(spec.name)!, isProjection(spec)))
    : [];
  const tensors = new Map<string, tf.Tensor>(
    trainable
      ? variables.map((entry) => [entry.name, entry.variable])
      : specs.map((spec) => [spec.name, tf.keep(toEngineTensor(weights.get(spec.name)!, isProjection(spec)))]),
  );
  const frozenLinears = new Map<string, LinearWeight & { dispose(): void }>();

  function get(name: string): tf.Tensor {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new ModelError('missing_tensor', `the model has no weight ${name}`);
    return tensor;
  }

  function linearOf(path: string): LinearWeight {
    const matrix = get(`${path}.weight`) as tf.Tensor2D;
    const bias = tensors.get(`${path}.bias`) as tf.Tensor1D | undefined;
    if (trainable) return { matrix, ...(bias && { bias }), trainable, transposed: () => tf.transpose(matrix) };
    const made = frozenLinears.get(path) ?? frozenLinear(matrix, bias);
    frozenLinears.set(path, made);
    return made;
  }

  function tiedHead(): LinearWeight {
    const embedding = get(EMBEDDING) as tf.Tensor2D;
    const transposed = () => embedding;
    if (trainable) return { matrix: tf.transpose(embedding), trainable, transposed };
    const made = frozenLinears.get('lm_head') ?? ownedHead(tf.keep(tf.transpose(embedding)), transposed);
    frozenLinears.set('lm_head', made);
    return made;
  }

  return {
    variables,
    vector: (name) => get(name) as tf.Tensor1D,
    linear: linearOf,
    embedding: () => get(EMBEDDING) as tf.Tensor2D,
    head: () => (config.tieWordEmbeddings ? tiedHead() : linearOf('lm_head')),
    export: () => new Map(specs.map((spec) => [spec.name, readBack(spec, variables, get(spec.name))])),
    dispose() {
      for (const linear of frozenLinears.values()) linear.dispose();
      for (const tensor of tensors.values()) tensor.dispose();
    },
  };
}

function frozenLinear(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined): LinearWeight & { dispose(): void } {
  let transposed: tf.Tensor2D | undefined;
  return {
    matrix,
    ...(bias && { bias }),
    trainable: false,
    transposed() {
      transposed ??= tf.keep(tf.transpose(matrix));
      return transposed;
    },
    dispose: () => transposed?.dispose(),
  };
}

function ownedHead(matrix: tf.Tensor2D, transposed: () => tf.Tensor2D): LinearWeight & { dispose(): void } {
  return { matrix, trainable: false, transposed, dispose: () => matrix.dispose() };
}

function readBack(spec: ParameterSpec, variables: readonly TrainableVariable[], tensor: tf.Tensor) {
  const trained = variables.find((entry) => entry.name === spec.name);
  if (trained) return readVariable(trained);
  const entry = { ...spec, transposed: isProjection(spec) };
  return toDiskLayout(entry, tensor.dataSync() as Float32Array);
}

/** The embedding stays [vocabulary, hidden]: its rows are looked up. */
function isProjection({ name, shape }: ParameterSpec): boolean {
  return shape.length === 2 && name !== EMBEDDING;
}

function checkSpec({ name, shape }: ParameterSpec, weights: Weights): void {
  const found = weights.get(name);
  if (found === undefined) throw new ModelError('missing_tensor', `the weights lack ${name}, shape [${shape}]`);
  if (found.shape.join() === shape.join()) return;
  throw new ModelError('tensor_shape', `${name} has shape [${found.shape}], the config expects [${shape}]`);
}

import * as tf from '../../tf.ts';

/** An attribute of an operation, as the addon takes it. */
export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** The part of tfjs-node's backend that runs any operation of TensorFlow by its name. */
interface NodeBackend {
  readonly binding: Readonly<Record<'TF_ATTR_BOOL' | 'TF_ATTR_INT' | 'TF_ATTR_TYPE' | 'TF_FLOAT', number>>;
  executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly tf.Tensor[]): tf.Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly tf.Tensor[],
    outputs: number,
  ): tf.Tensor[];
}

/**
 * Runs an operation of TensorFlow (tensorflow/core/ops) by its name. Types of elements are taken from the inputs. Half the cost of tfjs's
 * own operations, which look for kernels, record gradients and profile; and there are operations here that tfjs has none for.
 * The result belongs to the scope around it.
 */
export function run<T extends tf.Tensor = tf.Tensor2D>(
  name: string,
  inputs: readonly tf.Tensor[],
  attributes: readonly Attribute[] = [],
): T {
  return backend().executeSingleOutput(name, attributes, inputs) as T;
}

/** As `run`, for operations with several results. */
export function runMany(
  name: string,
  inputs: readonly tf.Tensor[],
  outputs: number,
  attributes: readonly Attribute[] = [],
): tf.Tensor[] {
  return backend().executeMultipleOutputs(name, attributes, inputs, outputs);
}

/** An attribute that is true or false. */
export function flag(name: string, value: boolean): Attribute {
  return { name, type: backend().binding.TF_ATTR_BOOL, value };
}

/** The attributes of an operation on a list of float tensors, whose types it does not take from them. */
export function listOf(count: number): readonly Attribute[] {
  const { TF_ATTR_INT, TF_ATTR_TYPE, TF_FLOAT } = backend().binding;
  return [
    { name: 'N', type: TF_ATTR_INT, value: count },
    { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT },
  ];
}

function backend(): NodeBackend {
  return tf.backend() as unknown as NodeBackend;
}

/** Constants that are kept. More are in use only where batches differ in shape, and those that are not asked for go first. */
const CAPACITY = 1024;

const kept = new Map<string, tf.Tensor>();

/** A number as a tensor. */
export function scalar(value: number): tf.Tensor {
  return constant(`${value}`, () => tf.scalar(value));
}

/** One number over and over: [rows, 1]. */
export function column(rows: number, value: number): tf.Tensor {
  return constant(`${rows} of ${value}`, () => tf.fill([rows, 1], value));
}

/** An axis as a tensor. */
export function axis(value: number): tf.Tensor {
  return constant(`axis ${value}`, () => tf.scalar(value, 'int32'));
}

/** Integers as a tensor: shapes, axes, permutations. */
export function integers(values: readonly number[]): tf.Tensor {
  return constant(`[${values}]`, () => tf.tensor1d([...values], 'int32'));
}

function constant(key: string, make: () => tf.Tensor): tf.Tensor {
  const found = kept.get(key);
  if (found) return found;
  if (kept.size === CAPACITY) dropOldest();
  const made = tf.keep(make());
  kept.set(key, made);
  return made;
}

function dropOldest(): void {
  const [oldest] = kept;
  kept.delete(oldest![0]);
  oldest![1].dispose();
}

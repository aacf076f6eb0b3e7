import * as tf from '../../tf.ts';
import { keptTensors } from './kept-tensors.ts';

/** An attribute of an operation, as the addon takes it. */
export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

type AttributeType = 'TF_ATTR_BOOL' | 'TF_ATTR_FLOAT' | 'TF_ATTR_INT' | 'TF_ATTR_TYPE';

/** The part of tfjs-node's backend that runs any operation of TensorFlow by its name. */
interface NodeBackend {
  readonly binding: Readonly<Record<AttributeType | 'TF_FLOAT', number>>;
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

/** The attribute of an operation that is a whole number. */
export function whole(name: string, value: number): Attribute {
  return { name, type: backend().binding.TF_ATTR_INT, value };
}

/** The attribute of an operation that is any number. */
export function real(name: string, value: number): Attribute {
  return { name, type: backend().binding.TF_ATTR_FLOAT, value };
}

/** The attributes of an operation on a list of float tensors, whose types it does not take from them. */
export function listOf(count: number): readonly Attribute[] {
  const { TF_ATTR_TYPE, TF_FLOAT } = backend().binding;
  return [whole('N', count), { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT }];
}

function backend(): NodeBackend {
  return tf.backend() as unknown as NodeBackend;
}

/** Constants: more are in use only where batches differ in shape. */
const constant = keptTensors<tf.Tensor>(1024);

/** A number as a tensor. */
export function scalar(value: number): tf.Tensor {
  return constant(`${value}`, () => tf.scalar(value));
}

/** One number over and over: [rows, 1]. */
export function column(rows: number, value: number): tf.Tensor {
  return constant(`${rows} of ${value}`, () => tf.fill([rows, 1], value));
}

/** A tensor without values, for an input that an operation can do without. */
export function nothing(): tf.Tensor {
  return constant('nothing', () => tf.tensor1d([], 'float32'));
}

/** An axis as a tensor. */
export function axis(value: number): tf.Tensor {
  return constant(`axis ${value}`, () => tf.scalar(value, 'int32'));
}

/** Numbers as a tensor of floats. */
export function floats(values: readonly number[]): tf.Tensor {
  return constant(`floats ${values}`, () => tf.tensor1d([...values], 'float32'));
}

/** Integers as a tensor: shapes, axes, permutations. */
export function integers(values: readonly number[]): tf.Tensor {
  return constant(`[${values}]`, () => tf.tensor1d([...values], 'int32'));
}

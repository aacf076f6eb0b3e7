import { transpose } from './layout.ts';
import type { TensorData } from './safetensors.ts';
import * as tf from './tf.ts';

/**
 * A weight that training changes. `name` and `shape` are those of the file it is saved to (Hugging Face, or PEFT for LoRA);
 * the variable of a projection holds the transpose. `tf.variableGrads` keys its gradients by `variable.name`.
 */
export interface TrainableVariable {
  readonly name: string;
  readonly shape: readonly number[];
  readonly transposed: boolean;
  readonly variable: tf.Variable;
}

/** A variable from values in the layout of the disk. */
export function createVariable(name: string, tensor: TensorData, transposed: boolean): TrainableVariable {
  const initial = toEngineTensor(tensor, transposed);
  const variable = tf.variable(initial);
  initial.dispose();
  return { name, shape: tensor.shape, transposed, variable };
}

/** Current values in the layout of the disk: also right for an optimizer's moments, which are shaped like their variable. */
export function toDiskLayout(trainable: Omit<TrainableVariable, 'variable'>, engineValues: Float32Array): TensorData {
  const { shape, transposed } = trainable;
  return { shape, data: transposed ? transpose(engineValues, shape[1]!, shape[0]!) : engineValues };
}

/** The inverse of `toDiskLayout`. */
export function toEngineLayout(trainable: Omit<TrainableVariable, 'variable'>, diskValues: Float32Array): Float32Array {
  const { shape, transposed } = trainable;
  return transposed ? transpose(diskValues, shape[0]!, shape[1]!) : diskValues;
}

/** Reads a variable's values, in the layout of the disk. */
export function readVariable(trainable: TrainableVariable): TensorData {
  return toDiskLayout(trainable, trainable.variable.dataSync() as Float32Array);
}

/** Replaces a variable's values with ones in the layout of the disk. */
export function writeVariable(trainable: TrainableVariable, diskValues: Float32Array): void {
  const values = tf.tensor(toEngineLayout(trainable, diskValues), trainable.variable.shape);
  trainable.variable.assign(values);
  values.dispose();
}

/** A constant tensor from values in the layout of the disk. */
export function toEngineTensor({ shape, data }: TensorData, transposed: boolean): tf.Tensor {
  if (!transposed) return tf.tensor(data, [...shape]);
  const [rows, columns] = [shape[0]!, shape[1]!];
  return tf.tensor2d(transpose(data, rows, columns), [columns, rows]);
}

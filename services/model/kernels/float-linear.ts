import * as tf from '@tensorflow/tfjs';
import type { LinearWeight } from './kernels.ts';

/** A projection with tensors of its own, besides the weights it was made of. */
export interface OwnedLinear extends LinearWeight {
  dispose(): void;
}

/** A projection in training: its transpose is made anew for each product, since it changes. */
export function trainedLinear(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined): LinearWeight {
  return {
    ...shapeOf(matrix),
    ...(bias && { bias }),
    trained: bias ? [matrix, bias] : [matrix],
    times: (x) => tf.matMul(x, matrix),
    timesTransposed: (dy) => tf.matMul(dy, tf.transpose(matrix)),
  };
}

/** A frozen projection. Its transpose is made once, at the first backward pass. */
export function frozenLinear(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined): OwnedLinear {
  let transposed: tf.Tensor2D | undefined;
  return {
    ...shapeOf(matrix),
    ...(bias && { bias }),
    trained: [],
    times: (x) => tf.matMul(x, matrix),
    timesTransposed(dy) {
      transposed ??= tf.keep(tf.transpose(matrix));
      return tf.matMul(dy, transposed);
    },
    dispose: () => transposed?.dispose(),
  };
}

/** A frozen projection where memory is short: its transpose is made for each product, and freed before that returns. */
export function frugalLinear(matrix: tf.Tensor2D): LinearWeight {
  return {
    shape: matrix.shape,
    trained: [],
    // The transpose, and the copy of it in another order that the engine makes for its product.
    scratchBytes: 2 * Float32Array.BYTES_PER_ELEMENT * matrix.size,
    times: (x) => tf.matMul(x, matrix),
    timesTransposed(dy) {
      const transposed: tf.Tensor2D = tf.transpose(matrix);
      const product: tf.Tensor2D = tf.matMul(dy, transposed);
      transposed.dispose();
      return product;
    },
  };
}

/** The output projection of a tied model in training: gradients reach the embedding through the transpose. */
export function tiedTrainedHead(embedding: tf.Tensor2D): LinearWeight {
  const matrix = tf.transpose(embedding);
  return {
    ...shapeOf(matrix),
    trained: [matrix],
    times: (x) => tf.matMul(x, matrix),
    timesTransposed: (dy) => tf.matMul(dy, embedding),
  };
}

/** The output projection of a frozen tied model: the embedding is its transpose, so the matrix itself is what is made. */
export function tiedFrozenHead(embedding: tf.Tensor2D): OwnedLinear {
  const matrix: tf.Tensor2D = tf.keep(tf.transpose(embedding));
  return {
    ...shapeOf(matrix),
    trained: [],
    times: (x) => tf.matMul(x, matrix),
    timesTransposed: (dy) => tf.matMul(dy, embedding),
    dispose: () => matrix.dispose(),
  };
}

function shapeOf(matrix: tf.Tensor2D): Pick<LinearWeight, 'shape' | 'scratchBytes'> {
  return { shape: matrix.shape, scratchBytes: 0 };
}

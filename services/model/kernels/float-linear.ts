import * as tf from '../tf.ts';
import type { LinearWeight, OwnedLinear } from './kernels.ts';
import { transposedProduct } from './transposed-product.ts';

/** A projection in training: its transpose is made anew for each product, since it changes. */
export function trainedLinear(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined): LinearWeight {
  return {
    shape: matrix.shape,
    ...(bias && { bias }),
    trained: bias ? [matrix, bias] : [matrix],
    scratch: (product) => (product === 'times' ? orderOf(matrix) : anew(matrix)),
    times: (x) => multiply(x, matrix),
    timesTransposed: (dy) => tf.matMul(dy, tf.transpose(matrix)),
    gradients: (x, dy) => [transposedProduct(x, dy), ...(bias ? [tf.sum(dy, 0)] : [])],
  };
}

/** A frozen projection. Its transpose is made once, at the first backward pass. */
export function frozenLinear(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined): OwnedLinear {
  let transposed: tf.Tensor2D | undefined;
  return {
    shape: matrix.shape,
    ...(bias && { bias }),
    trained: [],
    scratch: (product) =>
      product === 'times' ? orderOf(matrix) : transposed === undefined ? anew(matrix) : orderOf(transposed),
    times: (x) => multiply(x, matrix),
    timesTransposed(dy) {
      transposed ??= tf.keep(tf.transpose(matrix));
      return multiply(dy, transposed);
    },
    gradients: () => [],
    dispose: () => transposed?.dispose(),
  };
}

/** A frozen projection where memory is short: its transpose is made for each product, and freed before that returns. */
export function frugalLinear(matrix: tf.Tensor2D): LinearWeight {
  return {
    shape: matrix.shape,
    trained: [],
    scratch: (product) => (product === 'times' ? orderOf(matrix) : anew(matrix)),
    times: (x) => multiply(x, matrix),
    timesTransposed(dy) {
      const transposed: tf.Tensor2D = tf.transpose(matrix);
      const product: tf.Tensor2D = tf.matMul(dy, transposed);
      transposed.dispose();
      return product;
    },
    gradients: () => [],
  };
}

/** The output projection of a tied model in training: gradients reach the embedding through the transpose, which is made when first asked for. */
export function tiedTrainedHead(embedding: tf.Tensor2D): LinearWeight {
  let transposed: tf.Tensor2D | undefined;
  const matrix = () => {
    transposed ??= tf.transpose(embedding) as tf.Tensor2D;
    return transposed;
  };
  return {
    shape: [embedding.shape[1], embedding.shape[0]],
    get trained() {
      return [matrix()];
    },
    scratch(product) {
      if (product === 'timesTransposed') return orderOf(embedding);
      return transposed === undefined ? anew(embedding) : orderOf(transposed);
    },
    times: (x) => multiply(x, matrix()),
    timesTransposed: (dy) => multiply(dy, embedding),
    gradients: (x, dy) => [transposedProduct(x, dy)],
  };
}

/** The output projection of a frozen tied model: the embedding is its transpose, so the matrix itself is what is made, at its first product. */
export function tiedFrozenHead(embedding: tf.Tensor2D): OwnedLinear {
  let matrix: tf.Tensor2D | undefined;
  return {
    shape: [embedding.shape[1], embedding.shape[0]],
    trained: [],
    scratch(product) {
      if (product === 'timesTransposed') return orderOf(embedding);
      return matrix === undefined ? anew(embedding) : orderOf(matrix);
    },
    times(x) {
      matrix ??= tf.keep(tf.transpose(embedding));
      return multiply(x, matrix);
    },
    timesTransposed: (dy) => multiply(dy, embedding),
    gradients: () => [],
    dispose: () => matrix?.dispose(),
  };
}

/** Matrices that the engine has in its own order as well, by what identifies their values: a copy that lives as long as they do. */
const ordered = new WeakSet<object>();

function multiply(x: tf.Tensor2D, matrix: tf.Tensor2D): tf.Tensor2D {
  const product: tf.Tensor2D = tf.matMul(x, matrix);
  ordered.add(matrix.dataId);
  return product;
}

/** What the engine's own order of a matrix takes, unless it is there. */
function orderOf(matrix: tf.Tensor2D): number[] {
  return ordered.has(matrix.dataId) ? [] : [bytesOf(matrix)];
}

/** What a transpose takes that is still to be made: itself, and the engine's own order of it. */
function anew(matrix: tf.Tensor2D): number[] {
  return [bytesOf(matrix), bytesOf(matrix)];
}

function bytesOf(matrix: tf.Tensor2D): number {
  return Float32Array.BYTES_PER_ELEMENT * matrix.size;
}

import { settle } from '../../engines/settle.ts';
import { dequantiseNf4, type Nf4Tensor } from '../../nf4.ts';
import * as tf from '../../tf.ts';
import type { LinearWeights, OwnedLinear } from '../kernels.ts';
import { matMul, summed } from './arithmetic.ts';

/** Projections as they lie: a product takes either operand transposed, so nothing is kept beside the weights. */
export const nativeWeights: LinearWeights = {
  trained: (matrix, bias) => projection(matrix, bias, true),
  frozen: (matrix, bias) => ({
    ...projection(matrix, bias, false),
    values: () => matrix.dataSync() as Float32Array,
    dispose: () => matrix.dispose(),
  }),
  tiedTrained: (embedding) => tiedHead(embedding, true),
  tiedFrozen: (embedding) => tiedHead(embedding, false),
  nf4,
};

const NOTHING = { scratch: () => [] as readonly number[], dispose: () => undefined };

function projection(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined, trained: boolean): OwnedLinear {
  return {
    ...NOTHING,
    shape: matrix.shape,
    ...(bias && { bias }),
    trained: trained ? [matrix, ...(bias ? [bias] : [])] : [],
    times: (x) => matMul(x, matrix),
    timesTransposed: (dy) => matMul(dy, matrix, 'b'),
    gradients: (x, dy) => (trained ? [matMul(x, dy, 'a'), ...(bias ? [summed(dy, 0)] : [])] : []),
  };
}

function tiedHead(embedding: tf.Tensor2D, trained: boolean): OwnedLinear {
  const [vocabulary, hidden] = embedding.shape;
  return {
    ...NOTHING,
    shape: [hidden, vocabulary],
    trained: trained ? [embedding] : [],
    times: (x) => matMul(x, embedding, 'b'),
    timesTransposed: (dy) => matMul(dy, embedding),
    gradients: (x, dy) => (trained ? [matMul(dy, x, 'a')] : []),
  };
}

/** Packed outside the engine's memory; each product unpacks it, and frees the values before it returns. */
function nf4(weight: Nf4Tensor, bias: tf.Tensor1D | undefined): OwnedLinear {
  const [outer, inner] = [weight.shape[0]!, weight.shape[1]!];
  const bytes = Float32Array.BYTES_PER_ELEMENT * outer * inner;
  const unpacked = (use: (matrix: tf.Tensor2D) => tf.Tensor2D): tf.Tensor2D => {
    const values = new Float32Array(outer * inner);
    dequantiseNf4(weight, 0, values);
    const matrix = tf.tensor2d(values, [outer, inner]);
    const product = use(matrix);
    matrix.dispose();
    // Else the values of many projections would wait for their products at once.
    settle();
    return product;
  };
  return {
    ...NOTHING,
    shape: [inner, outer],
    ...(bias && { bias }),
    trained: [],
    // The values, and TensorFlow's copy of them.
    scratch: () => [bytes, bytes],
    times: (x) => unpacked((matrix) => matMul(x, matrix, 'b')),
    timesTransposed: (dy) => unpacked((matrix) => matMul(dy, matrix)),
    gradients: () => [],
  };
}

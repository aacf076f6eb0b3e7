import * as tf from '../tf.ts';
import type { FrozenLinear, LinearWeight, OwnedLinear } from './kernels.ts';
import {
  type PackedMatrix,
  pack,
  packedBytes,
  packTransposed,
  scratchBytes,
  times,
  timesTransposed,
  unpack,
} from './packed-matrix.ts';
import { transposedProduct } from './transposed-product.ts';

/** A projection in training: it is packed anew for each product, since it changes. */
export function trainedLinear(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined): LinearWeight {
  const [inner, outer] = matrix.shape;
  return {
    shape: [inner, outer],
    ...(bias && { bias }),
    trained: bias ? [matrix, bias] : [matrix],
    scratch: (product) => [packedBytes(inner, outer), ...scratchBytes(inner, outer, product)],
    times: (x) => passing(pack(matrix), (packed) => times(x, packed)),
    timesTransposed: (dy) => passing(pack(matrix), (packed) => timesTransposed(dy, packed)),
    gradients: (x, dy) => [transposedProduct(x, dy), ...(bias ? [tf.sum(dy, 0)] : [])],
  };
}

/** A frozen projection. It is packed at its first product, and is there in that order only. */
export function frozenLinear(matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined): FrozenLinear {
  const [inner, outer] = matrix.shape;
  let packed: PackedMatrix | undefined;
  const kept = () => {
    if (packed === undefined) {
      packed = keep(pack(matrix));
      matrix.dispose();
    }
    return packed;
  };
  return {
    shape: [inner, outer],
    ...(bias && { bias }),
    trained: [],
    scratch: (product) => [
      ...(packed === undefined ? [packedBytes(inner, outer)] : []),
      ...scratchBytes(inner, outer, product),
    ],
    times: (x) => times(x, kept()),
    timesTransposed: (dy) => timesTransposed(dy, kept()),
    gradients: () => [],
    values: () => (packed === undefined ? (matrix.dataSync() as Float32Array) : unpack(packed)),
    dispose() {
      packed?.tensor.dispose();
      matrix.dispose();
    },
  };
}

/** The output projection of a tied model in training: gradients reach the embedding through the transpose, which is made when first asked for. */
export function tiedTrainedHead(embedding: tf.Tensor2D): LinearWeight {
  const [vocabulary, hidden] = embedding.shape;
  const bytes = packedBytes(hidden, vocabulary);
  let transposed: tf.Tensor2D | undefined;
  const matrix = () => {
    transposed ??= tf.transpose(embedding) as tf.Tensor2D;
    return transposed;
  };
  return {
    shape: [hidden, vocabulary],
    get trained() {
      return [matrix()];
    },
    scratch: (product) => [
      ...(transposed === undefined ? [bytes, bytes] : [bytes]),
      ...scratchBytes(hidden, vocabulary, product),
    ],
    times: (x) => passing(packTransposed(embedding), (packed) => times(x, packed)),
    timesTransposed: (dy) => passing(packTransposed(embedding), (packed) => timesTransposed(dy, packed)),
    gradients: (x, dy) => [transposedProduct(x, dy)],
  };
}

/** The output projection of a frozen tied model: beside the embedding, whose rows are looked up, it is packed once. */
export function tiedFrozenHead(embedding: tf.Tensor2D): OwnedLinear {
  const [vocabulary, hidden] = embedding.shape;
  let packed: PackedMatrix | undefined;
  const kept = () => {
    packed ??= keep(packTransposed(embedding));
    return packed;
  };
  return {
    shape: [hidden, vocabulary],
    trained: [],
    scratch: (product) => [
      ...(packed === undefined ? [packedBytes(hidden, vocabulary)] : []),
      ...scratchBytes(hidden, vocabulary, product),
    ],
    times: (x) => times(x, kept()),
    timesTransposed: (dy) => timesTransposed(dy, kept()),
    gradients: () => [],
    dispose: () => packed?.tensor.dispose(),
  };
}

function keep(packed: PackedMatrix): PackedMatrix {
  tf.keep(packed.tensor);
  return packed;
}

/** Uses a packed matrix that is freed before this returns. */
export function passing(packed: PackedMatrix, use: (packed: PackedMatrix) => tf.Tensor2D): tf.Tensor2D {
  try {
    return use(packed);
  } finally {
    packed.tensor.dispose();
  }
}

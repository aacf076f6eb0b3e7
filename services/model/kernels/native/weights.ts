import { settle } from '../../engines/settle.ts';
import { dequantiseNf4, type Nf4Tensor } from '../../nf4.ts';
import * as tf from '../../tf.ts';
import type { LinearWeight, LinearWeights, OwnedLinear } from '../kernels.ts';
import { summed } from './arithmetic.ts';
import type { Products } from './products.ts';

/** How a matrix lies: [in, out], or the transpose of that. */
export type Lies = 'itself' | 'turned';

/** A projection whose matrix an operation can take as it lies. */
export interface LentWeight extends LinearWeight {
  /** What `use` gives for the matrix, which may be gone afterwards. */
  lend<T>(use: (matrix: tf.Tensor2D, lies: Lies) => T): T;
}

export function isLent(weight: LinearWeight): weight is LentWeight {
  return 'lend' in weight;
}

/** Projections as they lie: a product takes either operand transposed, so nothing is kept beside the weights. */
export function createNativeWeights(products: Products): LinearWeights {
  const weightOf = (parts: Parts): OwnedLinear & LentWeight => ({
    scratch: () => [],
    dispose: () => undefined,
    ...parts,
    times: (x) => parts.lend((matrix, lies) => products.times(x, matrix, lies)),
    timesTransposed: (dy) => parts.lend((matrix, lies) => products.times(dy, matrix, other(lies))),
  });
  return {
    trained: (matrix, bias) => weightOf(projection(products, matrix, bias, true)),
    frozen: (matrix, bias) => ({
      ...weightOf(projection(products, matrix, bias, false)),
      values: () => matrix.dataSync() as Float32Array,
      dispose: () => matrix.dispose(),
    }),
    tiedTrained: (embedding) => weightOf(tiedHead(products, embedding, true)),
    tiedFrozen: (embedding) => weightOf(tiedHead(products, embedding, false)),
    nf4: (weight, bias) => weightOf(nf4(weight, bias)),
  };
}

type Parts = Omit<LentWeight, 'times' | 'timesTransposed' | 'scratch'> & Partial<Pick<LinearWeight, 'scratch'>>;

function other(lies: Lies): Lies {
  return lies === 'itself' ? 'turned' : 'itself';
}

function projection(products: Products, matrix: tf.Tensor2D, bias: tf.Tensor1D | undefined, trained: boolean): Parts {
  return {
    shape: matrix.shape,
    ...(bias && { bias }),
    trained: trained ? [matrix, ...(bias ? [bias] : [])] : [],
    lend: (use) => use(matrix, 'itself'),
    gradients: (x, dy) => (trained ? [products.gradient(x, dy), ...(bias ? [summed(dy, 0)] : [])] : []),
  };
}

function tiedHead(products: Products, embedding: tf.Tensor2D, trained: boolean): Parts {
  const [vocabulary, hidden] = embedding.shape;
  return {
    shape: [hidden, vocabulary],
    trained: trained ? [embedding] : [],
    lend: (use) => use(embedding, 'turned'),
    gradients: (x, dy) => (trained ? [products.gradient(dy, x)] : []),
  };
}

/** Packed outside the engine's memory; each product unpacks it, and frees the values before it returns. */
function nf4(weight: Nf4Tensor, bias: tf.Tensor1D | undefined): Parts {
  const [outer, inner] = [weight.shape[0]!, weight.shape[1]!];
  const bytes = Float32Array.BYTES_PER_ELEMENT * outer * inner;
  return {
    shape: [inner, outer],
    ...(bias && { bias }),
    trained: [],
    // The values, and TensorFlow's copy of them.
    scratch: () => [bytes, bytes],
    lend(use) {
      const values = new Float32Array(outer * inner);
      dequantiseNf4(weight, 0, values);
      const matrix = tf.tensor2d(values, [outer, inner]);
      const given = use(matrix, 'turned');
      matrix.dispose();
      // Else the values of many projections would wait for their products at once.
      settle();
      return given;
    },
    gradients: () => [],
  };
}

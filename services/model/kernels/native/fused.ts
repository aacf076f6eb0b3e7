import type { Engine } from '../../backend.ts';
import * as tf from '../../tf.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import type { RopeTable } from '../rope.ts';
import type { CausalSoftmax } from './causal-softmax.ts';
import { rmsNorm } from './rms-norm.ts';
import { real, run, runMany, whole } from './tensorflow.ts';

/** Whether the addon brings the operations of scripts/tensorflow/operations.cc, which are for cores; the packages as published have none. */
export function hasFusedOperations(engine: Engine): boolean {
  if (engine.name !== 'node') return false;
  return tf.tidy(() => {
    const one = tf.fill([1], 1);
    try {
      run('TandemSwiglu', [one, one]);
      return true;
    } catch {
      return false;
    }
  });
}

/** As `rmsNorm`, in one pass over x. With a weight in training it is that one. */
export const fusedRmsNorm: Kernels['rmsNorm'] = (x, weight, eps) => {
  if (weight instanceof tf.Variable) return rmsNorm(x, weight, eps);
  const attributes = [real('eps', eps)];
  return differentiable(
    [x],
    () => ({ value: run('TandemRmsNorm', [x, weight], attributes), saved: [x] }),
    (dy, [input]) => [run('TandemRmsNormGrad', [dy, weight, input!], attributes)],
  );
};

export const fusedSwiglu: Kernels['swiglu'] = (gate, up) =>
  differentiable(
    [gate, up],
    () => ({ value: run('TandemSwiglu', [gate, up]), saved: [gate, up] }),
    (dy, [g, u]) => runMany('TandemSwigluGrad', [g!, u!, dy], 2),
  );

export const fusedRope: Kernels['rope'] = (x, positions, table) => {
  const attributes = [whole('head', table.headDim)];
  return differentiable(
    [x],
    () => ({ value: run('TandemRotate', [x, angles(positions, table).forth], attributes), saved: [] }),
    (dy) => [run('TandemRotate', [dy, angles(positions, table).back], attributes)],
  );
};

export const fusedSoftmax: CausalSoftmax = {
  of: (scores, queries) => run('TandemCausalSoftmax', [scores], [whole('queries', queries)]),
  gradient: (weights, dWeights) => run('TandemSoftmaxGrad', [weights, dWeights]),
  needsDrift: false,
};

/** Cosines and sines of the rows of a batch, [rows, headDim]; the sines of `back` are negative. */
interface Angles {
  readonly positions: Int32Array;
  readonly table: RopeTable;
  readonly forth: tf.Tensor;
  readonly back: tf.Tensor;
}

let last: Angles | undefined;

/** Those of the batch at hand are kept: every layer asks for the same. */
function angles(positions: Int32Array, table: RopeTable): Angles {
  if (last?.positions === positions && last.table === table) return last;
  last?.forth.dispose();
  last?.back.dispose();
  const half = table.headDim / 2;
  const { cos, sin } = table.upTo(positions.reduce((high, position) => Math.max(high, position), 0) + 1);
  const [forth, back] = [1, -1].map((direction) => {
    const out = new Float32Array(positions.length * table.headDim);
    for (const [row, position] of positions.entries()) {
      for (let i = 0; i < half; i++) {
        out[row * 2 * half + i] = cos[position * half + i]!;
        out[row * 2 * half + half + i] = direction * sin[position * half + i]!;
      }
    }
    return tf.keep(tf.tensor2d(out, [positions.length, table.headDim]));
  });
  last = { positions, table, forth: forth!, back: back! };
  return last;
}

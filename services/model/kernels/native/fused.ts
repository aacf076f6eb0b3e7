import type { Engine } from '../../backend.ts';
import * as tf from '../../tf.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { type FillRow, keptAngles } from './kept-angles.ts';
import { rmsNorm } from './rms-norm.ts';
import { real, run, runMany, whole } from './tensorflow.ts';

/** Whether the addon brings the operations of our own in scripts/tensorflow/, which are for cores; the packages as published have none. */
export function hasFusedOperations(engine: Engine): boolean {
  if (engine.name !== 'node') return false;
  return tf.tidy(() => {
    const one = tf.fill([1, 1], 1);
    try {
      // The last one that the addon defines: it defines none after one that TensorFlow does not take.
      runMany('TandemAdapterGrad', [one, one, one, one], 2);
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

/** Cosines and sines of each row, [rows, headDim], to turn it and to turn it back. */
const angles = keptAngles((rows, headDim) => [rows, headDim], [cosinesAndSines(1), cosinesAndSines(-1)]);

function cosinesAndSines(direction: 1 | -1): FillRow {
  return (out, at, cosines, sines) => {
    out.set(cosines, at);
    for (const [i, sine] of sines.entries()) out[at + sines.length + i] = direction * sine;
  };
}

export const fusedRope: Kernels['rope'] = (x, positions, table) => {
  const attributes = [whole('head', table.headDim)];
  return differentiable(
    [x],
    () => ({ value: run('TandemRotate', [x, angles(positions, table)[0]], attributes), saved: [] }),
    (dy) => [run('TandemRotate', [dy, angles(positions, table)[1]], attributes)],
  );
};

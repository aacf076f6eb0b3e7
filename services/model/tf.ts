import { createRequire } from 'node:module';
import type { Rank, Tensor as TensorOf, Variable as VariableOf } from '@tensorflow/tfjs';

/**
 * What is used of TensorFlow.js. An `import` of the package would have Node read its megabytes twice, to find names of exports in CommonJS: a quarter of the
 * processor time that a trainer takes to start.
 */
const tfjs = createRequire(import.meta.url)('@tensorflow/tfjs') as typeof import('@tensorflow/tfjs');

export type * from '@tensorflow/tfjs';
export type Tensor<R extends Rank = Rank> = TensorOf<R>;
export type Variable<R extends Rank = Rank> = VariableOf<R>;
export const {
  Identity,
  Tensor,
  Variable,
  add,
  backend,
  concat,
  customGrad,
  dispose,
  div,
  engine,
  exp,
  fill,
  findBackend,
  getBackend,
  grads,
  keep,
  logSoftmax,
  matMul,
  mean,
  memory,
  mul,
  neg,
  oneHot,
  pad2d,
  registerBackend,
  registerKernel,
  reshape,
  rsqrt,
  scalar,
  setBackend,
  sigmoid,
  slice,
  softmax,
  split,
  square,
  stack,
  sum,
  tensor,
  tensor1d,
  tensor2d,
  tensor3d,
  tidy,
  transpose,
  unregisterKernel,
  unstack,
  variable,
  variableGrads,
  version,
} = tfjs;

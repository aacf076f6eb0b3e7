import * as tf from '../../tf.ts';
import { checkIndices } from '../check-indices.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { gathered } from './arithmetic.ts';
import { run } from './tensorflow.ts';

export const rows: Kernels['rows'] = (table, indices) => {
  checkIndices(indices, table.shape[0], 'row');
  const count = table.shape[0];
  return differentiable(
    [table],
    () => ({ value: gathered(table, tf.tensor1d(indices, 'int32')), saved: [] }),
    (dy) => [run('UnsortedSegmentSum', [dy, tf.tensor1d(indices, 'int32'), tf.scalar(count, 'int32')])],
  );
};

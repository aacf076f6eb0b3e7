import * as tf from '../../tf.ts';
import type { RopeTable } from '../rope.ts';

type Pair = readonly [tf.Tensor, tf.Tensor];

/** Fills a row of a tensor, from `at` on, with what it needs of the cosines and sines of a position: half a head of each. */
export type FillRow = (out: Float32Array, at: number, cosines: Float32Array, sines: Float32Array) => void;

/**
 * Two tensors of `shape`, [rows, ..., headDim], made of the angles of a batch's rows. Those of the batch at hand are kept: every layer asks for the same.
 */
export function keptAngles(
  shape: (rows: number, headDim: number) => number[],
  fill: readonly [FillRow, FillRow],
): (positions: Int32Array, table: RopeTable) => Pair {
  let last: { readonly positions: Int32Array; readonly table: RopeTable; readonly pair: Pair } | undefined;
  return (positions, table) => {
    if (last?.positions === positions && last.table === table) return last.pair;
    const before = last?.pair;
    last = undefined;
    for (const tensor of before ?? []) tensor.dispose();
    const make = (fillRow: FillRow) =>
      tf.keep(tf.tensor(tabulate(positions, table, fillRow), shape(positions.length, table.headDim)));
    const pair: Pair = [make(fill[0]), make(fill[1])];
    last = { positions, table, pair };
    return pair;
  };
}

function tabulate(positions: Int32Array, table: RopeTable, fillRow: FillRow): Float32Array {
  const half = table.headDim / 2;
  const { cos, sin } = table.upTo(positions.reduce((high, position) => Math.max(high, position), 0) + 1);
  const out = new Float32Array(positions.length * table.headDim);
  for (const [row, position] of positions.entries()) {
    const [from, to] = [position * half, (position + 1) * half];
    fillRow(out, row * table.headDim, cos.subarray(from, to), sin.subarray(from, to));
  }
  return out;
}

import type { Engine } from '../../backend.ts';
import * as tf from '../../tf.ts';
import type { AttentionShape } from '../attention.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { gathered, joined, multiply, part, permuted, shaped } from './arithmetic.ts';
import { attendBackward, attendForward, type Heads } from './attend.ts';
import { type GroupedRows, groupSequences, type SequenceGroup } from './sequence-groups.ts';
import { scalar } from './tensorflow.ts';

/**
 * Sequences of nearly one length are computed side by side, as one product of many matrices: one matrix per sequence and key head, with
 * the queries of the heads that share it.
 */
export function attention(engine: Engine, ...[{ q, k, v }, shape, spans]: Parameters<Kernels['attention']>) {
  const grouped = groupSequences(spans);
  const scale = shape.headDim ** -0.5;
  /** Of each group: how many tensors it saved. */
  let counts: number[] = [];
  return differentiable(
    [q, k, v],
    () => {
      const groups = headsOf({ q: multiply(q, scalar(scale)), k, v }, shape, grouped);
      const attended = groups.map((heads) => attendForward(engine, heads));
      const value = rowsOf(
        attended.map(({ out }, i) => merged(out, shape, grouped.groups[i]!)),
        grouped,
      );
      const saved = groups.map((heads, i) => [heads.q, heads.k, heads.v, attended[i]!.out, ...attended[i]!.weights]);
      counts = saved.map((tensors) => tensors.length);
      return { value, saved: saved.flat() };
    },
    (dy, saved) => {
      const dOuts = placesOf(dy, grouped, true);
      const rest = [...saved];
      const gradients = grouped.groups.map((group, i) => {
        const [q, k, v, out, ...weights] = rest.splice(0, counts[i]!) as Saved;
        const d = attendBackward(engine, { q, k, v }, { out, weights }, queryHeads(dOuts[i]!, shape, group));
        return { q: merged(d.q, shape, group), k: mergedKeys(d.k, shape, group), v: mergedKeys(d.v, shape, group) };
      });
      const all = (name: 'q' | 'k' | 'v') =>
        rowsOf(
          gradients.map((gradient) => gradient[name]),
          grouped,
        );
      return [multiply(all('q'), scalar(scale)), all('k'), all('v')];
    },
  );
}

type Saved = [tf.Tensor4D, tf.Tensor3D, tf.Tensor3D, tf.Tensor4D, ...tf.Tensor3D[]];

function headsOf(qkv: Record<'q' | 'k' | 'v', tf.Tensor2D>, shape: AttentionShape, grouped: GroupedRows): Heads[] {
  const [q, k, v] = [qkv.q, qkv.k, qkv.v].map((rows) => placesOf(rows, grouped, false));
  return grouped.groups.map((group, i) => ({
    q: queryHeads(q![i]!, shape, group),
    k: keyHeads(k![i]!, shape, group),
    v: keyHeads(v![i]!, shape, group),
  }));
}

/** Rows of each group: [count * length, width]. Places that only fill up hold any row's values, or none's: zeros. */
function placesOf(rows: tf.Tensor2D, { groups, moved }: GroupedRows, zeros: boolean): tf.Tensor2D[] {
  if (!moved) return [rows];
  const all = gathered(rows, tf.tensor1d(moved.rows, 'int32'));
  const clean = zeros ? multiply(all, tf.tensor2d(moved.filled, [moved.filled.length, 1])) : all;
  let at = 0;
  return groups.map(({ count, length }) => {
    at += count * length;
    return part(clean, [at - count * length, 0], [count * length, rows.shape[1]]);
  });
}

/** The inverse of `placesOf`. */
function rowsOf(places: readonly tf.Tensor2D[], { moved }: GroupedRows): tf.Tensor2D {
  const all = joined(places, 0);
  return moved ? gathered(all, tf.tensor1d(moved.places, 'int32')) : all;
}

function queryHeads(rows: tf.Tensor2D, { heads, kvHeads, headDim }: AttentionShape, group: SequenceGroup): tf.Tensor4D {
  const { count, length } = group;
  const turned = permuted(shaped(rows, [count, length, heads, headDim]), [0, 2, 1, 3]);
  return shaped(turned, [count * kvHeads, heads / kvHeads, length, headDim]);
}

function keyHeads(rows: tf.Tensor2D, { kvHeads, headDim }: AttentionShape, { count, length }: SequenceGroup) {
  const turned = permuted(shaped(rows, [count, length, kvHeads, headDim]), [0, 2, 1, 3]);
  return shaped<tf.Tensor3D>(turned, [count * kvHeads, length, headDim]);
}

function merged(queries: tf.Tensor4D, { heads, headDim }: AttentionShape, { count, length }: SequenceGroup) {
  const turned = permuted(shaped(queries, [count, heads, length, headDim]), [0, 2, 1, 3]);
  return shaped<tf.Tensor2D>(turned, [count * length, heads * headDim]);
}

function mergedKeys(keys: tf.Tensor3D, { kvHeads, headDim }: AttentionShape, { count, length }: SequenceGroup) {
  const turned = permuted(shaped(keys, [count, kvHeads, length, headDim]), [0, 2, 1, 3]);
  return shaped<tf.Tensor2D>(turned, [count * length, kvHeads * headDim]);
}

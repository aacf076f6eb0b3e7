import type * as tf from '../../tf.ts';
import { type Attribute, axis, flag, integers, listOf, run } from './tensorflow.ts';

export const add = <T extends tf.Tensor>(a: T, b: tf.Tensor): T => run<T>('AddV2', [a, b]);
export const subtract = <T extends tf.Tensor>(a: T, b: tf.Tensor): T => run<T>('Sub', [a, b]);
export const multiply = <T extends tf.Tensor>(a: T, b: tf.Tensor): T => run<T>('Mul', [a, b]);

/** a b, of matrices; each may be taken transposed, which costs nothing here. */
export function matMul(a: tf.Tensor, b: tf.Tensor, turned: 'neither' | 'a' | 'b' = 'neither'): tf.Tensor2D {
  return run('MatMul', [a, b], turnedOperands('transpose_a', 'transpose_b', turned));
}

/** The same of many pairs of matrices: [count, m, k] x [count, k, n]. */
export function batchMatMul(a: tf.Tensor, b: tf.Tensor, turned: 'neither' | 'a' | 'b' = 'neither'): tf.Tensor3D {
  return run('BatchMatMulV2', [a, b], turnedOperands('adj_x', 'adj_y', turned));
}

const attributes = new Map<string, readonly Attribute[]>();

function turnedOperands(first: string, second: string, turned: 'neither' | 'a' | 'b'): readonly Attribute[] {
  const key = first + turned;
  const made = attributes.get(key) ?? [flag(first, turned === 'a'), flag(second, turned === 'b')];
  attributes.set(key, made);
  return made;
}

/** The same values in another shape, without a copy. */
export function shaped<T extends tf.Tensor>(x: tf.Tensor, shape: readonly number[]): T {
  return run<T>('Reshape', [x, integers(shape)]);
}

/** Axis i of the result is axis order[i] of x. */
export function permuted<T extends tf.Tensor>(x: tf.Tensor, order: readonly number[]): T {
  return run<T>('Transpose', [x, integers(order)]);
}

/** Sums over one axis, which goes. */
export function summed<T extends tf.Tensor>(x: tf.Tensor, along: number): T {
  return run<T>('Sum', [x, integers([along])]);
}

/** Rows of a table. */
export function gathered<T extends tf.Tensor = tf.Tensor2D>(table: tf.Tensor, indices: tf.Tensor): T {
  return run<T>('GatherV2', [table, indices, axis(0)]);
}

/** Part of x: `size` values from `begin` on, along each axis. */
export function part<T extends tf.Tensor>(x: T, begin: readonly number[], size: readonly number[]): T {
  return run<T>('Slice', [x, integers(begin), integers(size)]);
}

/** One after another along an axis. */
export function joined<T extends tf.Tensor>(parts: readonly T[], along: number): T {
  if (parts.length === 1) return parts[0]!;
  return run<T>('ConcatV2', [...parts, axis(along)], listOf(parts.length));
}

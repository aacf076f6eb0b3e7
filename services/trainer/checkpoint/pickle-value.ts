/**
 * Python values as torch.save and torch.load exchange them. A number is a Python int, since Python tells `1` from `1.0` and a
 * learning rate of 1 must stay a float; a Map is a dict (or OrderedDict), an array a list. `T` is what stands for a tensor.
 */
export type PyValue<T> = null | boolean | number | string | PyFloat | PyTuple<T> | PyDict<T> | PyList<T> | T;

export interface PyFloat {
  readonly kind: 'float';
  readonly value: number;
}

export interface PyTuple<T> {
  readonly kind: 'tuple';
  readonly items: readonly PyValue<T>[];
}

export type PyKey = string | number;
export type PyDict<T> = ReadonlyMap<PyKey, PyValue<T>>;
export type PyList<T> = readonly PyValue<T>[];

/** A tensor to be written, row-major. */
export interface FloatTensor {
  readonly kind: 'tensor';
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export function pyFloat(value: number): PyFloat {
  return { kind: 'float', value };
}

export function pyTuple<T>(...items: PyValue<T>[]): PyTuple<T> {
  return { kind: 'tuple', items };
}

export function pyDict<T>(entries: Iterable<readonly [PyKey, PyValue<T>]>): PyDict<T> {
  return new Map(entries);
}

import { rmsNormBackward, rmsNormForward } from './rms-norm.ts';
import { swigluBackward, swigluForward } from './swiglu.ts';
import type { Heap } from './threads/heap-views.ts';

/*
 * What treats every group of values by itself, cut into chunks of groups.
 */

/** Values of a chunk: some 30 microseconds. */
const CHUNK_VALUES = 2 ** 14;

/** How `groups` of so many values are cut. */
export function groupsOf(groups: number, size: number): { readonly perChunk: number; readonly chunks: number } {
  const perChunk = Math.max(1, Math.floor(CHUNK_VALUES / size));
  return { perChunk, chunks: Math.ceil(groups / perChunk) };
}

/** Parameters: groups, values of a group, groups of a chunk, epsilon, weight, x, out. */
export function rmsNormForwardChunk(heap: Heap, numbers: ArrayLike<number>, chunk: number): void {
  const { weight, eps, own } = normPart(heap, numbers, chunk);
  rmsNormForward(own(numbers[5]!), weight, eps, own(numbers[6]!));
}

/** Parameters: the first five as above, then x, gradient of the output, gradient of x. */
export function rmsNormBackwardChunk(heap: Heap, numbers: ArrayLike<number>, chunk: number): void {
  const { weight, eps, own } = normPart(heap, numbers, chunk);
  rmsNormBackward(own(numbers[5]!), weight, eps, own(numbers[6]!), own(numbers[7]!));
}

function normPart(heap: Heap, numbers: ArrayLike<number>, chunk: number) {
  const [size, eps, weight] = [numbers[1]!, numbers[3]!, numbers[4]!];
  return { weight: heap.floats(weight, size), eps, own: ownGroups(heap, numbers, chunk) };
}

/** Parameters: values, 1, values of a chunk, then addresses as `swigluForward` has them. */
export function swigluForwardChunk(heap: Heap, numbers: ArrayLike<number>, chunk: number): void {
  const own = ownGroups(heap, numbers, chunk);
  swigluForward(own(numbers[3]!), own(numbers[4]!), own(numbers[5]!), own(numbers[6]!));
}

/** Parameters: values, 1, values of a chunk, then addresses as `swigluBackward` has them. */
export function swigluBackwardChunk(heap: Heap, numbers: ArrayLike<number>, chunk: number): void {
  const own = ownGroups(heap, numbers, chunk);
  const [gate, up, sigmoid, dy, dGate, dUp] = [3, 4, 5, 6, 7, 8].map((i) => own(numbers[i]!)) as [
    ...[Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array],
  ];
  swigluBackward({ gate, up, sigmoid, dy }, dGate, dUp);
}

/** The groups of a chunk, of the array at an address. */
function ownGroups(heap: Heap, numbers: ArrayLike<number>, chunk: number): (at: number) => Float32Array {
  const [groups, size, perChunk] = [numbers[0]!, numbers[1]!, numbers[2]!];
  const first = chunk * perChunk;
  const count = Math.min(perChunk, groups - first);
  return (at) => heap.floats(at + 4 * first * size, count * size);
}

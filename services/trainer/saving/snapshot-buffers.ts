import type { CheckpointSnapshot } from '../checkpoint/snapshot.ts';

/** The buffers of a snapshot's tensors that can be moved to another thread: those that hold nothing else. What is left out is copied. */
export function buffersOf({ weights, optimizer }: CheckpointSnapshot): ArrayBuffer[] {
  const arrays = [
    ...[...weights.weights.values()].map(({ data }) => data),
    ...optimizer.flatMap(({ expAvg, expAvgSq }) => [expAvg, expAvgSq]),
  ];
  const whole = arrays.filter(
    ({ buffer, byteLength }) => buffer instanceof ArrayBuffer && buffer.byteLength === byteLength,
  );
  return [...new Set(whole.map(({ buffer }) => buffer as ArrayBuffer))];
}

import * as tf from '../../model/tf.ts';
import { completionRows } from './completion-rows.ts';
import type { MicroBatch, Sequence } from './micro-batches.ts';
import type { Policy } from './policy.ts';

/** Logprobs of the reference at each completion token of a micro-batch, with no gradient. */
export function referenceLogprobs(
  policy: Pick<Policy, 'referenceLogprobs'>,
  { sequences }: MicroBatch<Sequence>,
  temperature: number,
): Float32Array {
  const input = completionRows(sequences);
  return tf.tidy(() => policy.referenceLogprobs(input, temperature).dataSync() as Float32Array);
}

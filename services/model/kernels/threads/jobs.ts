import { backwardChunk, forwardChunk } from '../attention-chunk.ts';
import { productChunk } from '../packed-product-chunk.ts';
import { rmsNormBackwardChunk, rmsNormForwardChunk, swigluBackwardChunk, swigluForwardChunk } from '../row-chunks.ts';
import { transposedChunk } from '../transposed-product-chunk.ts';
import type { Heap } from './heap-views.ts';

/**
 * A part of some work on the engine's memory.
 * @param slot from 0: the scratch that no other chunk has meanwhile
 * @param alive to be called now and then by what may take more than seconds
 */
export type Job = (heap: Heap, parameters: ArrayLike<number>, chunk: number, slot: number, alive: () => void) => void;

/** What threads can do, by name. */
export const jobs = {
  product: productChunk,
  transposedProduct: transposedChunk,
  attentionForward: forwardChunk,
  attentionBackward: backwardChunk,
  rmsNormForward: rmsNormForwardChunk,
  rmsNormBackward: rmsNormBackwardChunk,
  swigluForward: swigluForwardChunk,
  swigluBackward: swigluBackwardChunk,
} as const satisfies Record<string, Job>;
export type JobName = keyof typeof jobs;
export const jobNames = Object.keys(jobs) as JobName[];

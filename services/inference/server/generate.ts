import { setMaxListeners } from 'node:events';
import type { InferenceEngine } from '../engine/engine.ts';
import type { Completion, Generation, GenerationRequest } from '../engine/generation.ts';
import type { SamplingOptions } from '../engine/sampling-options.ts';
import type { ModelRegistry, ServedModel } from '../engine/served-model.ts';

/** One API request's work: the same options for every prompt. */
export interface GenerationJob {
  readonly model: ServedModel;
  readonly prompts: readonly { readonly tokens: readonly number[]; readonly options: SamplingOptions }[];
  readonly n: number;
  readonly cacheSalt: string | null;
  readonly signal: AbortSignal;
  /** `choice` counts over all prompts: prompt * n + choice. */
  readonly onProgress?: (choice: number, completion: Completion) => void;
}

/** Generates for all prompts of a request; when one fails the others are given up. Keeps the model loaded meanwhile. */
export async function generate(
  { engine, models }: { readonly engine: InferenceEngine; readonly models: ModelRegistry },
  job: GenerationJob,
): Promise<Generation[]> {
  const release = models.use(job.model);
  const failed = new AbortController();
  const signal = AbortSignal.any([job.signal, failed.signal]);
  // One listener per prompt is meant.
  setMaxListeners(0, signal);
  try {
    return await Promise.all(job.prompts.map((_, index) => engine.generate(engineRequest(job, index, signal))));
  } catch (error) {
    failed.abort(error);
    throw error;
  } finally {
    release();
  }
}

function engineRequest(job: GenerationJob, index: number, signal: AbortSignal): GenerationRequest {
  const { tokens, options } = job.prompts[index]!;
  const { model, n, cacheSalt, onProgress } = job;
  return {
    model,
    prompt: tokens,
    promptIndex: index,
    n,
    options,
    cacheSalt,
    signal,
    ...(onProgress && {
      onProgress: (choice: number, completion: Completion) => onProgress(index * n + choice, completion),
    }),
  };
}

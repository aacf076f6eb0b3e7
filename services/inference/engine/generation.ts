import type { KvCache } from '../../model/kv-cache.ts';
import type { Detokenizer } from './detokenizer.ts';
import type { Finish } from './finish.ts';
import type { PrefixTrail } from './prefix-cache.ts';
import type { SamplingOptions } from './sampling-options.ts';
import type { ServedModel } from './served-model.ts';
import type { RankedToken } from './token-logprobs.ts';

/** `n` completions of one prompt. */
export interface GenerationRequest {
  readonly model: ServedModel;
  readonly prompt: readonly number[];
  /** Place of the prompt in its request: part of the random stream's name. */
  readonly promptIndex: number;
  readonly n: number;
  readonly options: SamplingOptions;
  /** Only requests with the same salt share what was computed for their prompts; null is a salt too. */
  readonly cacheSalt: string | null;
  readonly signal?: AbortSignal;
  /** For callers that stream: called after each token, and not kept waiting for. */
  readonly onProgress?: (choice: number, completion: Completion) => void;
}

export interface Generation {
  readonly choices: readonly Completion[];
  /** Per prompt token; the first has none. Null when not asked for. */
  readonly promptLogprobs: readonly (readonly RankedToken[] | null)[] | null;
  /** Prompt tokens that were not computed, because they had been for another request. */
  readonly cachedTokens: number;
}

export interface Completion {
  /** Everything drawn, with the end or stop token. */
  readonly tokens: readonly number[];
  /** Per token; null when not asked for. */
  readonly logprobs: readonly (readonly RankedToken[])[] | null;
  readonly text: string;
  /** Null while it is growing. */
  readonly finish: Finish | null;
}

/** Keys and values of a sequence, and the blocks known before that it goes along. */
export interface CachedSequence {
  readonly cache: KvCache;
  readonly trail: PrefixTrail;
}

/** A prompt in the engine. Its choices start when it has been read, as room allows. */
export interface PromptState {
  readonly request: GenerationRequest;
  /** From when it is let in until its last choice has started. */
  kv: CachedSequence | null;
  /** Prompt tokens that are in the cache. */
  fed: number;
  /** Those of them that it did not have to read. */
  cachedTokens: number;
  /** The row the first tokens of all choices are drawn from, once the prompt has been read. */
  lastRow: Float32Array | null;
  readonly choices: ChoiceState[];
  readonly promptLogprobs: (readonly RankedToken[] | null)[] | null;
  /** Whether the memory reserved together with the prompt, for one choice at a time, is free. */
  placeFree: boolean;
  /** Seconds on the engine's clock. */
  readonly arrivedAt: number;
  resolve(generation: Generation): void;
  reject(error: unknown): void;
}

/** One completion in the engine. */
export interface ChoiceState {
  readonly prompt: PromptState;
  readonly index: number;
  /** Null once finished: its memory goes back although its siblings are still running. */
  kv: CachedSequence | null;
  readonly tokens: number[];
  readonly logprobs: (readonly RankedToken[])[] | null;
  /** Only where text is looked at before the end: stop strings and streams. */
  readonly detokenizer: Detokenizer | null;
  /** Reserved for this choice alone; 0 when it has its prompt's place. */
  readonly ownBytes: number;
  text: string;
  finish: Finish | null;
}

/** Prompt tokens that may come from other requests: not the last, whose logits are needed, and none where the prompt's logprobs are wanted. */
export function reusableTokens({ prompt, options }: GenerationRequest): number {
  return options.promptLogprobs === null ? prompt.length - 1 : 0;
}

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { SamplingOptions } from '../engine/sampling-options.ts';
import { badParameter, badRequest } from './api-error.ts';

/** Above this, integers lose bits on their way through JSON, and different seeds would give the same completions. */
const seed = z.int(`seed must be an integer between -(2^53 - 1) and 2^53 - 1`).nullish();

/** Changes no completion: only requests with the same salt share what was computed for their prompts. */
export const cacheSalt = z.string().min(1, "'cache_salt' must be a non-empty string if provided.").nullish();

/** Sampling parameters that `/v1/completions` and `/v1/chat/completions` share. Defaults are vLLM's own, not the model's. */
export const samplingFields = {
  n: z.int().nullish(),
  seed,
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  top_k: z.int().nullish(),
  min_p: z.number().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(64)]).nullish(),
  stop_token_ids: z.array(z.int().min(0)).max(1024).nullish(),
  include_stop_str_in_output: z.boolean().nullish(),
  ignore_eos: z.boolean().nullish(),
  min_tokens: z.int().nullish(),
  skip_special_tokens: z.boolean().nullish(),
  prompt_logprobs: z.int().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  return_token_ids: z.boolean().nullish(),
  return_tokens_as_token_ids: z.boolean().nullish(),
};

export type SamplingRequest = z.output<z.ZodObject<typeof samplingFields>>;

/** vLLM's default of --max-logprobs. */
const MAX_LOGPROBS = 20;
/** As vLLM: below this, sampling is greedy. */
const GREEDY_TEMPERATURE = 1e-5;
/** vLLM's VLLM_MAX_N_SEQUENCES. */
const MAX_CHOICES = 16_384;

/**
 * Checks the ranges, in vLLM's words, and fills in defaults. Without a seed each request gets a random one.
 * @throws ApiError 400 naming the parameter.
 */
export function samplingOptionsOf(
  request: SamplingRequest,
  given: {
    readonly maxTokens: number;
    readonly logprobs: number | null;
    readonly eosTokenIds: readonly number[];
    readonly vocabSize: number;
  },
): SamplingOptions {
  checkRanges(request, given);
  const temperature = request.temperature ?? 1;
  return {
    temperature: temperature < GREEDY_TEMPERATURE ? 0 : temperature,
    topK: Math.max(0, request.top_k ?? 0),
    topP: request.top_p ?? 1,
    minP: request.min_p ?? 0,
    seed: request.seed == null ? randomBytes(8).readBigUInt64LE() : BigInt(request.seed),
    maxTokens: given.maxTokens,
    minTokens: request.min_tokens ?? 0,
    eosTokenIds: given.eosTokenIds,
    ignoreEos: request.ignore_eos ?? false,
    stopTokenIds: request.stop_token_ids ?? [],
    stop: stopStrings(request),
    includeStopInOutput: request.include_stop_str_in_output ?? false,
    skipSpecialTokens: request.skip_special_tokens ?? true,
    logprobs: given.logprobs,
    promptLogprobs: request.prompt_logprobs ?? null,
  };
}

/** Number of completions per prompt. @throws ApiError 400 */
export function choicesOf({ n }: SamplingRequest): number {
  const count = n ?? 1;
  if (count < 1) throw badParameter(`n must be at least 1, got ${count}.`, 'n', count);
  if (count > MAX_CHOICES) throw badParameter(`n must be at most ${MAX_CHOICES}, got ${count}.`, 'n', count);
  return count;
}

function checkRanges(
  request: SamplingRequest,
  { maxTokens, logprobs, vocabSize }: { maxTokens: number; logprobs: number | null; vocabSize: number },
): void {
  const { temperature = 1, top_p: topP, top_k: topK, min_p: minP, min_tokens: minTokens } = request;
  if ((temperature ?? 1) < 0) {
    throw badParameter(`temperature must be non-negative, got ${temperature}.`, 'temperature', temperature);
  }
  if (topP != null && !(topP > 0 && topP <= 1))
    throw badParameter(`top_p must be in (0, 1], got ${topP}.`, 'top_p', topP);
  if (topK != null && topK < -1) {
    throw badParameter(`top_k must be 0 (disable), or at least 1, got ${topK}.`, 'top_k', topK);
  }
  if (minP != null && !(minP >= 0 && minP <= 1))
    throw badParameter(`min_p must be in [0, 1], got ${minP}.`, 'min_p', minP);
  if (maxTokens < 1) throw badParameter(`max_tokens must be at least 1, got ${maxTokens}.`, 'max_tokens', maxTokens);
  if (minTokens != null && minTokens < 0) {
    throw badRequest(`min_tokens must be greater than or equal to 0, got ${minTokens}.`, 'min_tokens');
  }
  if (minTokens != null && minTokens > maxTokens) {
    throw badRequest(
      `min_tokens must be less than or equal to max_tokens=${maxTokens}, got ${minTokens}.`,
      'min_tokens',
    );
  }
  checkLogprobs('logprobs', 'sample', logprobs, vocabSize);
  checkLogprobs('prompt_logprobs', 'prompt', request.prompt_logprobs ?? null, vocabSize);
  if (request.stream && (request.prompt_logprobs ?? 0) !== 0) {
    throw badRequest('`prompt_logprobs` are not available when `stream=True`.', 'prompt_logprobs');
  }
  if (request.stream_options && !request.stream) {
    throw badRequest('Stream options can only be defined when `stream=True`.', 'stream_options');
  }
  if (stopStrings(request).includes('')) throw badRequest('stop cannot contain an empty string.', 'stop');
  const stray = request.stop_token_ids?.find((token) => token >= vocabSize);
  if (stray !== undefined)
    throw badParameter(`stop_token_ids has token id ${stray}, which is out of vocabulary`, 'stop_token_ids', stray);
}

function checkLogprobs(param: string, kind: 'sample' | 'prompt', value: number | null, vocabSize: number): void {
  if (value === null) return;
  if (value < -1) throw badParameter(`\`${param}\` must be a positive value or -1.`, param, value);
  const wanted = value === -1 ? vocabSize : value;
  if (wanted <= MAX_LOGPROBS) return;
  throw badParameter(
    `Requested ${kind} logprobs of ${wanted}, which is greater than max allowed: ${MAX_LOGPROBS}`,
    param,
    wanted,
  );
}

function stopStrings({ stop }: SamplingRequest): readonly string[] {
  if (stop == null) return [];
  return typeof stop === 'string' ? [stop] : stop;
}

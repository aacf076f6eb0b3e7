import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Completion, Generation } from '../engine/generation.ts';
import { completionLogprobs, promptLogprobs, requireNumbers } from './completion-logprobs.ts';
import { generate } from './generate.ts';
import { parseRequest, refuseUnsupported } from './parse-request.ts';
import { checkPrompt, promptTokens } from './prompts.ts';
import { type ApiRequest, json, type Reply, type Route } from './route.ts';
import { cacheSalt, choicesOf, samplingFields, samplingOptionsOf } from './sampling-request.ts';
import { requestedModel, type ServingContext } from './serving-context.ts';
import { createStreamDeltas } from './stream-deltas.ts';
import { usageOf } from './usage.ts';

const completionRequest = z.looseObject({
  ...samplingFields,
  model: z.string().nullish(),
  prompt: z.unknown(),
  max_tokens: z.int().nullish(),
  logprobs: z.int().nullish(),
  add_special_tokens: z.boolean().nullish(),
  cache_salt: cacheSalt,
});

type CompletionRequest = z.output<typeof completionRequest>;

const DEFAULT_MAX_TOKENS = 16;

/** `POST /v1/completions`. */
export function completionRoutes(context: ServingContext): Route[] {
  return [{ method: 'POST', path: '/v1/completions', handle: (request) => createCompletion(context, request) }];
}

async function createCompletion(context: ServingContext, { body, requestId, signal }: ApiRequest): Promise<Reply> {
  const request = parseRequest(completionRequest, body);
  const model = requestedModel(context.models, request.model);
  refuseUnsupported(request);
  const n = choicesOf(request);
  const { vocabSize } = model.decoder.config;
  const encoding = { ...context, addSpecialTokens: request.add_special_tokens ?? true };
  const wanted = request.max_tokens ?? DEFAULT_MAX_TOKENS;
  const prompts = promptTokens(request.prompt, encoding).map((tokens) => {
    const maxTokens = checkPrompt(tokens, wanted, { contextLength: context.contextLength, vocabSize });
    const { eosTokenIds } = context.tokenizer;
    const options = samplingOptionsOf(request, {
      maxTokens,
      logprobs: request.logprobs ?? null,
      eosTokenIds,
      vocabSize,
    });
    return { tokens, options };
  });
  const shape = createShape(context, request, { id: `cmpl-${requestId ?? randomUUID()}`, model: model.name });
  const job = { model, prompts, n, cacheSalt: request.cache_salt ?? null, signal };
  if (!request.stream) {
    const generations = await generate(context, job);
    requireNumbers(generations);
    return json(shape.response(prompts, generations));
  }
  return {
    kind: 'stream',
    async run(send) {
      const deltas = createStreamDeltas(prompts.length * n);
      const emit = (index: number, completion: Completion) => {
        const promptIds = prompts[Math.floor(index / n)]!.tokens;
        const delta = deltas.next(index, completion);
        if (delta) send(shape.chunk(index, delta, delta.first ? promptIds : null));
      };
      const generations = await generate(context, { ...job, onProgress: emit });
      if (request.stream_options?.include_usage) send(shape.usageChunk(prompts, generations));
    },
  };
}

type Prompts = readonly { readonly tokens: readonly number[] }[];

/** How this request's answers look, whole or in chunks. */
function createShape(context: ServingContext, request: CompletionRequest, head: { id: string; model: string }) {
  const base = { id: head.id, object: 'text_completion', created: Math.floor(context.now()), model: head.model };
  const text = context.tokenText;
  const asTokenIds = request.return_tokens_as_token_ids ?? false;
  const ids = (tokens: readonly number[] | null) => (request.return_token_ids ? tokens : null);

  function choice(index: number, completion: Completion, textOffset = 0) {
    const { logprobs, finish } = completion;
    return {
      index,
      text: completion.text,
      logprobs: logprobs && completionLogprobs(logprobs, { text, asTokenIds, textOffset }),
      finish_reason: finish?.reason ?? null,
      stop_reason: finish?.stopReason ?? null,
      token_ids: ids(completion.tokens),
    };
  }

  function response(prompts: Prompts, generations: readonly Generation[]) {
    const choices = generations.flatMap((generation, prompt) =>
      generation.choices.map((completion, i) => ({
        ...choice(prompt * generation.choices.length + i, completion),
        prompt_logprobs: promptLogprobs(generation.promptLogprobs, text),
        prompt_token_ids: ids(prompts[prompt]!.tokens),
      })),
    );
    const usage = usageOf(prompts, generations);
    return { ...base, choices, service_tier: null, system_fingerprint: null, usage, kv_transfer_params: null };
  }

  function chunk(index: number, delta: Completion & { textOffset: number }, promptIds: readonly number[] | null) {
    return {
      ...base,
      choices: [{ ...choice(index, delta, delta.textOffset), prompt_token_ids: ids(promptIds) }],
      usage: null,
    };
  }

  function usageChunk(prompts: Prompts, generations: readonly Generation[]) {
    return { ...base, choices: [], usage: usageOf(prompts, generations) };
  }

  return { response, chunk, usageChunk };
}

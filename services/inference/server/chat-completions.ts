import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Completion } from '../engine/generation.ts';
import { badRequest } from './api-error.ts';
import { chatLogprobs, promptLogprobs, requireNumbers } from './completion-logprobs.ts';
import { generate } from './generate.ts';
import { parseRequest, refuseUnsupported } from './parse-request.ts';
import { checkPrompt, encodeText } from './prompts.ts';
import { type ApiRequest, json, type Reply, type Route } from './route.ts';
import { cacheSalt, choicesOf, samplingFields, samplingOptionsOf } from './sampling-request.ts';
import { requestedModel, type ServingContext } from './serving-context.ts';
import { createStreamDeltas } from './stream-deltas.ts';
import { usageOf } from './usage.ts';

const textPart = z.object({ type: z.literal('text', 'only text parts are supported'), text: z.string() });

/** Chat messages as the template sees them: parts are joined into one text. */
export const chatMessages = z
  .array(
    z.object({
      role: z.string(),
      content: z
        .union([z.string(), z.array(textPart)])
        .nullish()
        .transform((content) =>
          Array.isArray(content) ? content.map(({ text }) => text).join('\n') : (content ?? ''),
        ),
    }),
  )
  .min(1, 'a conversation needs at least one message');

const chatRequest = z.looseObject({
  ...samplingFields,
  model: z.string().nullish(),
  messages: chatMessages,
  max_tokens: z.int().nullish(),
  max_completion_tokens: z.int().nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().nullish(),
  add_generation_prompt: z.boolean().nullish(),
  add_special_tokens: z.boolean().nullish(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
  cache_salt: cacheSalt,
});

type ChatRequest = z.output<typeof chatRequest>;

/** `POST /v1/chat/completions`: the model's own chat template, then the same as a completion. */
export function chatRoutes(context: ServingContext): Route[] {
  return [
    { method: 'POST', path: '/v1/chat/completions', handle: (request) => createChatCompletion(context, request) },
  ];
}

async function createChatCompletion(context: ServingContext, { body, requestId, signal }: ApiRequest): Promise<Reply> {
  const request = parseRequest(chatRequest, body);
  const model = requestedModel(context.models, request.model);
  refuseUnsupported(request);
  const n = choicesOf(request);
  const { vocabSize } = model.decoder.config;
  const prompt = encodeChat(context, request);
  const wanted = request.max_completion_tokens ?? request.max_tokens ?? null;
  const maxTokens = checkPrompt(prompt, wanted, { contextLength: context.contextLength, vocabSize });
  const logprobs = topLogprobs(request);
  const { eosTokenIds } = context.tokenizer;
  const options = samplingOptionsOf(request, { maxTokens, logprobs, eosTokenIds, vocabSize });
  const prompts = [{ tokens: prompt, options }];
  const job = { model, prompts, n, cacheSalt: request.cache_salt ?? null, signal };
  const base = { id: `chatcmpl-${requestId ?? randomUUID()}`, created: Math.floor(context.now()), model: model.name };
  const ids = (tokens: readonly number[]) => (request.return_token_ids ? tokens : null);
  const closing = (completion: Completion) => ({
    logprobs: completion.logprobs && chatLogprobs(completion.logprobs, context.tokenText, logprobs ?? 0),
    finish_reason: completion.finish?.reason ?? null,
    stop_reason: completion.finish?.stopReason ?? null,
    token_ids: ids(completion.tokens),
  });

  if (!request.stream) {
    const generations = await generate(context, job);
    requireNumbers(generations);
    const [generation] = generations;
    const choices = generation!.choices.map((completion, index) => ({
      index,
      message: { role: 'assistant', content: completion.text, refusal: null, tool_calls: [], reasoning: null },
      ...closing(completion),
    }));
    return json({
      ...base,
      object: 'chat.completion',
      choices,
      service_tier: null,
      system_fingerprint: null,
      usage: usageOf(prompts, [generation!]),
      prompt_logprobs: promptLogprobs(generation!.promptLogprobs, context.tokenText),
      prompt_token_ids: ids(prompt),
    });
  }
  return {
    kind: 'stream',
    async run(send) {
      const chunk = { ...base, object: 'chat.completion.chunk' };
      const deltas = createStreamDeltas(n);
      for (let index = 0; index < n; index++) {
        const delta = { role: 'assistant', content: '' };
        const choices = [{ index, delta, logprobs: null, finish_reason: null }];
        send({ ...chunk, choices, ...(index === 0 && request.return_token_ids && { prompt_token_ids: prompt }) });
      }
      const emit = (index: number, completion: Completion) => {
        const delta = deltas.next(index, completion);
        if (delta) send({ ...chunk, choices: [{ index, delta: { content: delta.text }, ...closing(delta) }] });
      };
      const generations = await generate(context, { ...job, onProgress: emit });
      if (request.stream_options?.include_usage) send({ ...chunk, choices: [], usage: usageOf(prompts, generations) });
    },
  };
}

function encodeChat(context: ServingContext, request: ChatRequest): number[] {
  const text = context.tokenizer.applyChatTemplate(request.messages, {
    addGenerationPrompt: request.add_generation_prompt ?? true,
    variables: request.chat_template_kwargs ?? {},
  });
  return encodeText(text, { ...context, addSpecialTokens: request.add_special_tokens ?? false });
}

function topLogprobs(request: ChatRequest): number | null {
  const top = request.top_logprobs ?? 0;
  if (request.logprobs) return top;
  if (top !== 0) throw badRequest('when using `top_logprobs`, `logprobs` must be set to true.', 'top_logprobs');
  return null;
}

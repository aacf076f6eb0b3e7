import { z } from 'zod';
import { chatMessages } from './chat-completions.ts';
import { parseRequest } from './parse-request.ts';
import { encodeText } from './prompts.ts';
import { json, type Reply, type Route } from './route.ts';
import { requestedModel, type ServingContext } from './serving-context.ts';

const tokenizeRequest = z.looseObject({
  model: z.string().nullish(),
  prompt: z.string().nullish(),
  messages: chatMessages.nullish(),
  add_special_tokens: z.boolean().nullish(),
  add_generation_prompt: z.boolean().nullish(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
  return_token_strs: z.boolean().nullish(),
});

const detokenizeRequest = z.looseObject({ model: z.string().nullish(), tokens: z.array(z.int().min(0)) });

/** `POST /tokenize` for a text or a conversation, and `POST /detokenize`. */
export function tokenizeRoutes(context: ServingContext): Route[] {
  return [
    { method: 'POST', path: '/tokenize', handle: ({ body }) => tokenize(context, body) },
    { method: 'POST', path: '/detokenize', handle: ({ body }) => detokenize(context, body) },
  ];
}

function tokenize(context: ServingContext, body: unknown): Reply {
  const request = parseRequest(tokenizeRequest, body);
  requestedModel(context.models, request.model);
  const chat = request.messages
    ? context.tokenizer.applyChatTemplate(request.messages, {
        addGenerationPrompt: request.add_generation_prompt ?? true,
        variables: request.chat_template_kwargs ?? {},
      })
    : null;
  const addSpecialTokens = request.add_special_tokens ?? chat === null;
  const tokens = encodeText(chat ?? request.prompt ?? '', { ...context, addSpecialTokens });
  const strings = request.return_token_strs ? tokens.map((token) => context.tokenText.token(token)) : null;
  return json({ count: tokens.length, max_model_len: context.contextLength, tokens, token_strs: strings });
}

function detokenize(context: ServingContext, body: unknown): Reply {
  const request = parseRequest(detokenizeRequest, body);
  requestedModel(context.models, request.model);
  return json({ prompt: context.tokenText.decode(request.tokens, { skipSpecialTokens: false }) });
}

import type { Tokenizer } from '../../model/tokenizer.ts';
import { badParameter, badRequest, malformed } from './api-error.ts';

/** vLLM's default of VLLM_MAX_COMPLETION_PROMPTS. */
const MAX_PROMPTS = 1024;
/** No vocabulary has longer tokens: longer texts cannot fit and are not worth encoding. */
const MAX_CHARACTERS_PER_TOKEN = 256;

/**
 * Prompts as token ids. `prompt` is a text, a list of texts, token ids or a list of token id lists.
 * @throws ApiError 400
 */
export function promptTokens(
  prompt: unknown,
  encoding: { readonly tokenizer: Tokenizer; readonly contextLength: number; readonly addSpecialTokens: boolean },
): number[][] {
  if (prompt == null || prompt === '') {
    throw malformed('Either prompt or prompt_embeds must be provided and non-empty.', 'prompt');
  }
  if (typeof prompt === 'string') return [encodeText(prompt, encoding)];
  if (!Array.isArray(prompt)) throw notAPrompt();
  if (prompt.length === 0) throw badRequest('You must pass at least one prompt', 'prompt');
  if (isTokenList(prompt)) return [prompt];
  if (prompt.length > MAX_PROMPTS) {
    throw malformed(
      `prompt list length ${prompt.length} exceeds the maximum allowed count of ${MAX_PROMPTS}.`,
      'prompt',
    );
  }
  if (isTextList(prompt)) return prompt.map((text) => encodeText(text, encoding));
  if (prompt.every((entry) => Array.isArray(entry) && isTokenList(entry))) return prompt as number[][];
  throw notAPrompt();
}

/** @throws ApiError 400 when the text is too long for the context whatever its tokens are. */
export function encodeText(
  text: string,
  encoding: { readonly tokenizer: Tokenizer; readonly contextLength: number; readonly addSpecialTokens: boolean },
): number[] {
  const { tokenizer, contextLength, addSpecialTokens } = encoding;
  if (text.length > contextLength * MAX_CHARACTERS_PER_TOKEN) {
    throw badParameter(
      `You passed ${text.length} input characters. However, the model's context length is only ${contextLength} tokens. ` +
        'Please reduce the length of the input prompt.',
      'input_text',
      text.length,
    );
  }
  return tokenizer.encode(text, { addSpecialTokens });
}

/**
 * @returns how many tokens may be drawn: `maxTokens`, or what the context leaves when null.
 * @throws ApiError 400 when a prompt is empty, has a token outside the vocabulary, or leaves too little room in the context.
 */
export function checkPrompt(
  prompt: readonly number[],
  maxTokens: number | null,
  model: { readonly contextLength: number; readonly vocabSize: number },
): number {
  const { contextLength, vocabSize } = model;
  if (prompt.length === 0) throw badRequest('The decoder prompt cannot be empty', 'prompt');
  const stray = prompt.find((token) => token >= vocabSize);
  if (stray !== undefined) throw badRequest(`Token id ${stray} is out of vocabulary`, 'prompt');
  if (maxTokens !== null && maxTokens > contextLength) {
    throw badParameter(
      `max_tokens=${maxTokens} cannot be greater than max_model_len=${contextLength}. Please request fewer output tokens.`,
      'max_tokens',
      maxTokens,
    );
  }
  const longest = contextLength - (maxTokens ?? 1);
  if (prompt.length <= longest) return maxTokens ?? contextLength - prompt.length;
  throw badParameter(
    `You passed ${prompt.length} input tokens and requested ${maxTokens ?? 1} output tokens. However, the model's context ` +
      `length is only ${contextLength} tokens, resulting in a maximum input length of ${longest} tokens. ` +
      'Please reduce the length of the input prompt.',
    'input_tokens',
    prompt.length,
  );
}

function isTokenList(list: readonly unknown[]): list is number[] {
  return list.every((entry) => typeof entry === 'number' && Number.isInteger(entry) && entry >= 0);
}

function isTextList(list: readonly unknown[]): list is string[] {
  return list.every((entry) => typeof entry === 'string');
}

function notAPrompt() {
  return malformed(
    'prompt: expected a string, a list of strings, a list of token ids or a list of token id lists',
    'prompt',
  );
}

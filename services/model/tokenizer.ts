import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Template } from '@huggingface/jinja';
import { Tokenizer as HfTokenizer } from '@huggingface/tokenizers';
import { type ModelConfig, tokenIds } from '../contracts/model-config.ts';
import { ModelError } from '../contracts/model-error.ts';
import { readJson } from './weights.ts';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface ChatOptions {
  /** Ends the prompt where the assistant's answer begins. */
  readonly addGenerationPrompt?: boolean;
  /** Further variables of the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

export interface Tokenizer {
  /** One more than the highest token id. */
  readonly vocabSize: number;
  /** Tokens that end a completion, in ascending order. */
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number | undefined;
  readonly hasChatTemplate: boolean;
  /** sha256 of the tokenizer's files: equal hashes mean equal tokens. */
  readonly hash: string;
  /** Without the tokens a model's post-processor adds (such as a leading bos), unless asked for. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[];
  /** Special tokens are kept unless `skipSpecialTokens`. */
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }): string;
  /** The text of a conversation; `encode` it as it is. @throws ModelError when the model has no template or the template refuses. */
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatOptions): string;
  tokenId(token: string): number | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Loads `tokenizer.json`, `tokenizer_config.json`, the chat template and the ids that end a completion.
 *
 * @param config when given, tokens the model has no embedding for are refused.
 * @throws ModelError `invalid_tokenizer`, or `vocabulary_mismatch`.
 */
export async function loadTokenizer(dir: string, config?: Pick<ModelConfig, 'vocabSize'>): Promise<Tokenizer> {
  const tokenizerJson = (await readJson(path.join(dir, 'tokenizer.json'))) as Json;
  const settings = (await readOptionalJson(path.join(dir, 'tokenizer_config.json'))) ?? {};
  const inner = createInner(tokenizerJson, settings, dir);
  const vocabSize = [...inner.get_vocab(true).values()].reduce((highest, id) => Math.max(highest, id + 1), 0);
  if (config && vocabSize > config.vocabSize) {
    throw new ModelError(
      'vocabulary_mismatch',
      `${dir}: the tokenizer has ids up to ${vocabSize - 1} but the model embeds ${config.vocabSize}: use the tokenizer of this model`,
    );
  }
  const templateText = await chatTemplateText(dir, settings);
  const template = templateText === undefined ? undefined : parseTemplate(templateText, dir);
  return {
    vocabSize,
    eosTokenIds: await eosIds(dir, settings, inner),
    padTokenId: tokenIdOf(settings['pad_token'], inner),
    hasChatTemplate: template !== undefined,
    hash: hashOf(tokenizerJson, settings, templateText),
    encode: (text, options) => inner.encode(text, { add_special_tokens: options?.addSpecialTokens ?? false }).ids,
    decode: (ids, options) => decode(inner, ids, options?.skipSpecialTokens ?? false),
    applyChatTemplate: (messages, options) => render(template, settings, messages, options ?? {}, dir),
    tokenId: (token) => inner.token_to_id(token),
  };
}

function createInner(tokenizerJson: Json, settings: Json, dir: string): HfTokenizer {
  try {
    return new HfTokenizer(tokenizerJson, settings);
  } catch (cause) {
    throw new ModelError(
      'invalid_tokenizer',
      `${dir}/tokenizer.json is not a tokenizer this library reads: ${reasonOf(cause)}`,
      {
        cause,
      },
    );
  }
}

function decode(inner: HfTokenizer, ids: ArrayLike<number>, skipSpecialTokens: boolean): string {
  if (ids.length === 0) return '';
  return inner.decode(Array.from(ids), { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: false });
}

/** A file of its own wins, as in transformers; `chat_template` may also be a list of named templates. */
async function chatTemplateText(dir: string, settings: Json): Promise<string | undefined> {
  const file = await readOptional(path.join(dir, 'chat_template.jinja'));
  if (file !== undefined) return file;
  const template = settings['chat_template'];
  if (typeof template === 'string') return template;
  if (!Array.isArray(template)) return undefined;
  const named = template.find((entry: Json) => entry['name'] === 'default') as Json | undefined;
  return typeof named?.['template'] === 'string' ? named['template'] : undefined;
}

function parseTemplate(text: string, dir: string): Template {
  try {
    return new Template(text);
  } catch (cause) {
    throw new ModelError('invalid_tokenizer', `${dir}: the chat template does not parse: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

function render(
  template: Template | undefined,
  settings: Json,
  messages: readonly ChatMessage[],
  options: ChatOptions,
  dir: string,
): string {
  if (!template) {
    throw new ModelError(
      'invalid_tokenizer',
      `${dir} has no chat template: give prompts as text, or use an instruct model`,
    );
  }
  try {
    return template.render({
      messages,
      add_generation_prompt: options.addGenerationPrompt ?? false,
      bos_token: tokenText(settings['bos_token']) ?? '',
      eos_token: tokenText(settings['eos_token']) ?? '',
      pad_token: tokenText(settings['pad_token']) ?? '',
      ...options.variables,
    });
  } catch (cause) {
    throw new ModelError('invalid_tokenizer', `${dir}: the chat template refused the messages: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/** Models list the tokens that end a turn in generation_config.json, config.json or by name: any of them ends a completion. */
async function eosIds(dir: string, settings: Json, inner: HfTokenizer): Promise<number[]> {
  const generation = await readOptionalJson(path.join(dir, 'generation_config.json'));
  const config = await readOptionalJson(path.join(dir, 'config.json'));
  const named = tokenIdOf(settings['eos_token'], inner);
  const ids = [...tokenIds(generation?.['eos_token_id']), ...tokenIds(config?.['eos_token_id']), ...tokenIds(named)];
  return [...new Set(ids)].sort((a, b) => a - b);
}

function tokenIdOf(token: unknown, inner: HfTokenizer): number | undefined {
  const text = tokenText(token);
  return text === undefined ? undefined : inner.token_to_id(text);
}

/** Special tokens are saved as text or as an object with `content`. */
function tokenText(token: unknown): string | undefined {
  if (typeof token === 'string') return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : undefined;
}

function hashOf(tokenizerJson: Json, settings: Json, template: string | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify([tokenizerJson, settings, template ?? null]))
    .digest('hex');
}

async function readOptionalJson(file: string): Promise<Json | undefined> {
  return (await readOptional(file)) === undefined ? undefined : ((await readJson(file)) as Json);
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

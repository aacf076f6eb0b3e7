import { ModelError } from '../../../contracts/model-error.ts';
import type { ChatMessage, Tokenizer } from '../../../model/tokenizer.ts';
import { type Row, RowError } from '../row.ts';

/** A prompt before it is tokenised. */
export interface RenderedPrompt {
  readonly text: string;
  readonly tokens: () => number[];
}

/** What a tokenizer may add to a text beyond a token for each of its bytes. */
const EXTRA_TOKENS = 8;

/** The prompt as the chat template renders it, or the bare text of a model that has none. @throws RowError */
export function renderPrompt(
  row: Row,
  { messages, plain }: { readonly messages: readonly ChatMessage[]; readonly plain: boolean },
  tokenizer: Tokenizer,
): RenderedPrompt {
  if (tokenizer.hasChatTemplate) {
    const text = applyTemplate(row, messages, tokenizer);
    return { text, tokens: () => tokenizer.encode(text) };
  }
  if (!plain) {
    throw new RowError(
      row.place,
      'has messages, but the model has no chat template to render them',
      'Use an instruct model, or give prompt as text.',
    );
  }
  const text = messages.map(({ content }) => content).join('\n');
  return { text, tokens: () => tokenizer.encode(text, { addSpecialTokens: true }) };
}

/** Templates refuse conversations too, such as two messages of one role in a row. */
function applyTemplate(row: Row, messages: readonly ChatMessage[], tokenizer: Tokenizer): string {
  try {
    return tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true });
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new RowError(row.place, error.message, 'Give the messages in the order that the model expects.');
  }
}

/** Whether texts may have more tokens than `limit`. No token is shorter than a byte, so most rows need not be tokenised to know that they fit. */
export function mayExceed(limit: number, ...texts: readonly string[]): boolean {
  return texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), EXTRA_TOKENS) > limit;
}

export function withSystem(messages: readonly ChatMessage[], systemPrompt: string | null): readonly ChatMessage[] {
  return systemPrompt === null ? messages : [{ role: 'system', content: systemPrompt }, ...messages];
}

/**
 * The tokens that end an answer. A chat model ends its turn with the token its template ends a turn with, which need not be the first of its eos tokens.
 */
export function turnEnding(tokenizer: Tokenizer): readonly number[] {
  const [fallback] = tokenizer.eosTokenIds;
  if (fallback === undefined || !tokenizer.hasChatTemplate) return fallback === undefined ? [] : [fallback];
  const turn = tokenizer.encode(
    tokenizer.applyChatTemplate([
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ]),
  );
  return [turn.findLast((token) => tokenizer.eosTokenIds.includes(token)) ?? fallback];
}

/** @throws RowError when a prompt leaves no room for an answer */
export function refuseLongPrompt(row: Row, tokens: number, maxLength: number): RowError {
  return new RowError(
    row.place,
    `the prompt alone has ${tokens} tokens, model.max_seq_length is ${maxLength}`,
    'Raise model.max_seq_length, remove the line, or set data.on_invalid: skip.',
  );
}

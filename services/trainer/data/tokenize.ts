import type { ChatMessage, Tokenizer } from '../../model/tokenizer.ts';
import { TrainerError } from '../failure.ts';
import type { Dataset, Example } from './dataset.ts';

/** A problem to be answered: what the model is given, and what the reward compares with. */
export interface PromptExample {
  readonly id: string;
  readonly prompt: readonly number[];
  /** Messages of the prompt, system message included. */
  readonly messages: number;
  readonly answer: string;
}

/** A prompt with the answer to learn; the answer ends with the token that ends a turn. */
export interface CompletionExample {
  readonly id: string;
  readonly prompt: readonly number[];
  readonly completion: readonly number[];
}

export interface TokenizedCompletions {
  readonly examples: readonly CompletionExample[];
  /** Examples whose end was cut off at `maxLength`. */
  readonly truncated: number;
}

/**
 * Prompts with their answers, for rewards.
 * @throws TrainerError `invalid_data` for a line without an answer, or a prompt that leaves no room for `maxNewTokens`.
 */
export function tokenizePrompts(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: { readonly systemPrompt: string | null; readonly maxLength: number; readonly maxNewTokens: number },
): PromptExample[] {
  return dataset.examples.map((example) => {
    const messages = withSystem(example.messages, options.systemPrompt);
    const prompt = promptTokens(example, messages, tokenizer, dataset.path);
    const room = options.maxLength - options.maxNewTokens;
    if (prompt.length > room) {
      throw invalid(
        dataset,
        example,
        `the prompt has ${prompt.length} tokens, but model.max_seq_length ${options.maxLength} less rollout.max_new_tokens ${options.maxNewTokens} leaves ${room}`,
        'Raise model.max_seq_length, lower rollout.max_new_tokens, or remove the line.',
      );
    }
    return { id: example.id, prompt, messages: messages.length, answer: requireAnswer(dataset, example) };
  });
}

/**
 * Prompts with completions to imitate. What goes beyond `maxLength` is cut off at the end.
 * @throws TrainerError `invalid_data` for a line without an answer, or one whose prompt alone fills `maxLength`.
 */
export function tokenizeCompletions(dataset: Dataset, tokenizer: Tokenizer, maxLength: number): TokenizedCompletions {
  let truncated = 0;
  const end = tokenizer.eosTokenIds[0];
  const ending = end === undefined ? [] : [endOfTurn(tokenizer, end)];
  const examples = dataset.examples.map((example) => {
    const prompt = promptTokens(example, example.messages, tokenizer, dataset.path);
    const completion = [...tokenizer.encode(requireAnswer(dataset, example)), ...ending];
    const room = maxLength - prompt.length;
    if (room < 1) {
      throw invalid(
        dataset,
        example,
        `the prompt alone has ${prompt.length} tokens, model.max_seq_length is ${maxLength}`,
        'Raise model.max_seq_length or remove the line.',
      );
    }
    if (completion.length > room) truncated += 1;
    return { id: example.id, prompt, completion: completion.slice(0, room) };
  });
  return { examples, truncated };
}

/** The prompt as the chat template renders it, or the bare text of a model that has none. */
function promptTokens(
  example: Example,
  messages: readonly ChatMessage[],
  tokenizer: Tokenizer,
  path: string,
): readonly number[] {
  if (tokenizer.hasChatTemplate) {
    return tokenizer.encode(tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true }));
  }
  if (!example.plain) {
    throw new TrainerError(
      'invalid_data',
      `${path}:${example.line}: has messages, but the model has no chat template to render them`,
      'Use an instruct model, or give prompt as text.',
    );
  }
  const text = messages.map((message) => message.content).join('\n');
  return tokenizer.encode(text, { addSpecialTokens: true });
}

/** A chat model ends its turn with the token its template ends a turn with, which need not be the first of its eos tokens. */
function endOfTurn(tokenizer: Tokenizer, fallback: number): number {
  if (!tokenizer.hasChatTemplate) return fallback;
  const turn = tokenizer.encode(
    tokenizer.applyChatTemplate([
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ]),
  );
  return turn.findLast((token) => tokenizer.eosTokenIds.includes(token)) ?? fallback;
}

function withSystem(messages: readonly ChatMessage[], systemPrompt: string | null): readonly ChatMessage[] {
  return systemPrompt === null ? messages : [{ role: 'system', content: systemPrompt }, ...messages];
}

function requireAnswer(dataset: Dataset, example: Example): string {
  if (example.answer !== null) return example.answer;
  throw invalid(dataset, example, 'has neither completion nor answer', 'Add what the model should answer to the line.');
}

function invalid(dataset: Dataset, example: Example, problem: string, remedy: string): TrainerError {
  return new TrainerError('invalid_data', `${dataset.path}:${example.line}: ${problem}`, remedy);
}

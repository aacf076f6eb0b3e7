import type { ChatMessage, Tokenizer } from '../../../model/tokenizer.ts';
import type { ExampleReader } from '../open-examples.ts';
import { type Row, RowError } from '../row.ts';
import { parseExample, requireAnswer } from './parse-example.ts';
import { mayExceed, renderPrompt, withSystem } from './render.ts';

/** A problem to be answered: what the model is given, and what rewards compare with. */
export interface PromptExample {
  readonly id: string;
  readonly prompt: readonly number[];
  /** Messages of the prompt, system message included. */
  readonly messages: number;
  /** The prompt as the data has it. */
  readonly source: string | readonly ChatMessage[];
  /** Null where no reward needs one and the row has none. */
  readonly answer: string | null;
  /** All columns of the row. */
  readonly columns: Readonly<Record<string, unknown>>;
}

/** Prompts for rollouts. One that leaves no room for `maxNewTokens` is refused. */
export function createPromptReader(
  tokenizer: Tokenizer,
  options: {
    readonly systemPrompt: string | null;
    readonly maxLength: number;
    readonly maxNewTokens: number;
    /** What compares with the answer of a row, as messages name it; null: a row needs none. */
    readonly needsAnswer: string | null;
  },
): ExampleReader<PromptExample> {
  const { systemPrompt, maxLength, maxNewTokens, needsAnswer } = options;
  const room = maxLength - maxNewTokens;

  function parse(row: Row) {
    const example = parseExample(row);
    const answer = needsAnswer === null ? example.answer : requireAnswer(row, example, needsAnswer);
    const messages = withSystem(example.messages, systemPrompt);
    const prompt = renderPrompt(row, { messages, plain: example.plain }, tokenizer);
    const source = example.plain ? example.messages[0]!.content : example.messages;
    return { id: example.id, answer, messages: messages.length, source, prompt };
  }

  const refuse = (row: Row, tokens: number) =>
    new RowError(
      row.place,
      `the prompt has ${tokens} tokens, but model.max_seq_length ${maxLength} less rollout.max_new_tokens ${maxNewTokens} leaves ${room}`,
      'Raise model.max_seq_length, lower rollout.max_new_tokens, remove the line, or set data.on_invalid: skip.',
    );

  return {
    check(row) {
      const { prompt } = parse(row);
      const tokens = mayExceed(room, prompt.text) ? prompt.tokens().length : 0;
      if (tokens > room) throw refuse(row, tokens);
      return { isCut: false };
    },
    read(row) {
      const { prompt: rendered, ...rest } = parse(row);
      const prompt = rendered.tokens();
      if (prompt.length > room) throw refuse(row, prompt.length);
      return { ...rest, prompt, columns: row.columns };
    },
  };
}

/** What an example takes of memory, in tokens of 8 bytes: rewards are given the whole row, which may be far longer than the prompt. */
export function weighPrompt({ prompt, source, columns }: PromptExample): number {
  return prompt.length + Math.ceil(JSON.stringify([source, columns]).length / 4);
}

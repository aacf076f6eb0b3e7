import type { Tokenizer } from '../../../model/tokenizer.ts';
import type { ExampleReader } from '../open-examples.ts';
import type { Row } from '../row.ts';
import { parseExample, requireAnswer } from './parse-example.ts';
import { mayExceed, refuseLongPrompt, renderPrompt, turnEnding } from './render.ts';

/** A prompt with the answer to learn; the answer ends with the token that ends a turn. */
export interface CompletionExample {
  readonly id: string;
  readonly prompt: readonly number[];
  readonly completion: readonly number[];
}

/** Prompts with completions to imitate (SFT). What goes beyond `maxLength` is cut off at the end; a prompt that alone fills it is refused. */
export function createCompletionReader(tokenizer: Tokenizer, maxLength: number): ExampleReader<CompletionExample> {
  let ending: readonly number[] | undefined;
  /** After a row was rendered, so that a template that refuses all is told with the first row. */
  const endingOf = () => (ending ??= turnEnding(tokenizer));

  function parse(row: Row) {
    const example = parseExample(row);
    const answer = requireAnswer(row, example);
    return { id: example.id, answer, prompt: renderPrompt(row, example, tokenizer) };
  }

  function read(row: Row): CompletionExample & { readonly isCut: boolean } {
    const { id, answer, prompt: rendered } = parse(row);
    const prompt = rendered.tokens();
    const completion = [...tokenizer.encode(answer), ...endingOf()];
    const room = maxLength - prompt.length;
    if (room < 1) throw refuseLongPrompt(row, prompt.length, maxLength);
    return { id, prompt, completion: completion.slice(0, room), isCut: completion.length > room };
  }

  return {
    check(row) {
      const { answer, prompt } = parse(row);
      return { isCut: mayExceed(maxLength - endingOf().length, prompt.text, answer) && read(row).isCut };
    },
    read(row) {
      const { id, prompt, completion } = read(row);
      return { id, prompt, completion };
    },
  };
}

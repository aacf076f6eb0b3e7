import type { Tokenizer } from '../../../model/tokenizer.ts';
import type { ExampleReader } from '../open-examples.ts';
import type { Row } from '../row.ts';
import { parsePreference } from './parse-preference.ts';
import { mayExceed, refuseLongPrompt, renderPrompt, turnEnding } from './render.ts';

/** A prompt with the answer that was preferred and the one that was not; both end with the token that ends a turn. */
export interface PreferenceExample {
  readonly id: string;
  readonly prompt: readonly number[];
  readonly chosen: readonly number[];
  readonly rejected: readonly number[];
}

/** Preferences (DPO). Answers are cut off at their end where prompt and answer go beyond `maxLength`; a prompt that alone fills it is refused. */
export function createPreferenceReader(tokenizer: Tokenizer, maxLength: number): ExampleReader<PreferenceExample> {
  let ending: readonly number[] | undefined;
  /** After a row was rendered, so that a template that refuses all is told with the first row. */
  const endingOf = () => (ending ??= turnEnding(tokenizer));

  function parse(row: Row) {
    const { chosen, rejected, ...preference } = parsePreference(row);
    return { id: preference.id, chosen, rejected, prompt: renderPrompt(row, preference, tokenizer) };
  }

  function read(row: Row): PreferenceExample & { readonly isCut: boolean } {
    const parsed = parse(row);
    const prompt = parsed.prompt.tokens();
    const room = maxLength - prompt.length;
    if (room < 1) throw refuseLongPrompt(row, prompt.length, maxLength);
    const [chosen, rejected] = [parsed.chosen, parsed.rejected].map((text) => [
      ...tokenizer.encode(text),
      ...endingOf(),
    ]);
    const isCut = chosen!.length > room || rejected!.length > room;
    return { id: parsed.id, prompt, chosen: chosen!.slice(0, room), rejected: rejected!.slice(0, room), isCut };
  }

  return {
    check(row) {
      const { chosen, rejected, prompt } = parse(row);
      const mayNotFit = [chosen, rejected].some((text) => mayExceed(maxLength - endingOf().length, prompt.text, text));
      return { isCut: mayNotFit && read(row).isCut };
    },
    read(row) {
      const { isCut: _, ...example } = read(row);
      return example;
    },
  };
}

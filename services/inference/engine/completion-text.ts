import { showsToken } from './advance-choice.ts';
import type { ChoiceState, Completion } from './generation.ts';

/** Text of tokens, as the tokenizer gives it. */
export type DecodeText = (tokens: readonly number[], options: { readonly skipSpecialTokens: boolean }) => string;

/** A completion as it stands. While it grows, its text leaves out what may turn out to be the beginning of a stop string. */
export function completionOf(choice: ChoiceState, decodeText: DecodeText): Completion {
  return { tokens: choice.tokens, logprobs: choice.logprobs, text: textOf(choice, decodeText), finish: choice.finish };
}

function textOf(choice: ChoiceState, decodeText: DecodeText): string {
  const { stop, skipSpecialTokens } = choice.prompt.request.options;
  if (!choice.detokenizer) {
    const shown = showsToken(choice) ? choice.tokens : choice.tokens.slice(0, -1);
    return decodeText(shown, { skipSpecialTokens });
  }
  if (choice.finish) return choice.text;
  const heldBack = stop.reduce((longest, { length }) => Math.max(longest, length - 1), 0);
  return choice.text.slice(0, Math.max(0, choice.text.length - heldBack));
}

import type { Tokenizer } from '../../model/tokenizer.ts';
import type { DecodeText } from '../engine/completion-text.ts';

/** Text of single tokens, for logprobs, and of whole completions. */
export interface TokenText {
  /** One token's text, special tokens included; U+FFFD where it is part of a character. */
  token(id: number): string;
  decode: DecodeText;
}

export function createTokenText(tokenizer: Tokenizer): TokenText {
  const known = new Map<number, string>();
  // Models embed more ids than their tokenizer has, to a round number; those have no text.
  const withText = (ids: readonly number[]) => ids.filter((id) => id < tokenizer.vocabSize);
  return {
    token(id) {
      const text = known.get(id) ?? tokenizer.decode(withText([id]));
      known.set(id, text);
      return text;
    },
    decode: (tokens, { skipSpecialTokens }) => tokenizer.decode(withText(tokens), { skipSpecialTokens }),
  };
}

import type { Completion } from '../engine/generation.ts';

/** What is new in a completion since the last event about it. */
export interface CompletionDelta extends Completion {
  /** Characters sent before. */
  readonly textOffset: number;
  /** Whether this is the first event about this completion. */
  readonly first: boolean;
}

/** Follows completions that are streamed. `next` gives null while there is nothing to show: an incomplete character. */
export function createStreamDeltas(choices: number): {
  next(index: number, completion: Completion): CompletionDelta | null;
} {
  const sent = Array.from({ length: choices }, () => ({ tokens: 0, text: 0 }));
  return {
    next(index, completion) {
      const { tokens, text } = sent[index]!;
      const { finish } = completion;
      if (completion.text.length <= text && finish === null) return null;
      sent[index] = { tokens: completion.tokens.length, text: Math.max(text, completion.text.length) };
      return {
        tokens: completion.tokens.slice(tokens),
        logprobs: completion.logprobs === null ? null : completion.logprobs.slice(tokens),
        text: completion.text.slice(text),
        finish,
        textOffset: text,
        first: tokens === 0,
      };
    },
  };
}

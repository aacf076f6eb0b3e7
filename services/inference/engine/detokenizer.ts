/** Text that grows with its tokens. */
export interface Detokenizer {
  readonly text: string;
  /** The new text; empty while a character is incomplete. */
  push(token: number): string;
  /** What was held back, at the end: an incomplete character as U+FFFD. */
  flush(): string;
}

/**
 * Decodes token by token. A token's text depends on those before it (spaces, characters split over tokens), so each is decoded
 * together with the few before it and the known part is cut off, as vLLM's and text-generation-inference's decoders do.
 */
export function createDetokenizer(decode: (tokens: readonly number[]) => string): Detokenizer {
  const tokens: number[] = [];
  let text = '';
  let window = 0;
  let known = 0;

  function advance(final: boolean): string {
    const before = decode(tokens.slice(window, known));
    const after = decode(tokens.slice(window));
    if (after.length <= before.length || (after.endsWith('\uFFFD') && !final)) return '';
    window = known;
    known = tokens.length;
    const added = after.slice(before.length);
    text += added;
    return added;
  }

  return {
    get text() {
      return text;
    },
    push(token) {
      tokens.push(token);
      return advance(false);
    },
    flush: () => (known < tokens.length ? advance(true) : ''),
  };
}

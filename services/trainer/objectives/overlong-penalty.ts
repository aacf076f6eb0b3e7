/**
 * DAPO's soft punishment of completions that come near the longest one allowed (arXiv:2503.14476, 3.4, eq. 13), to be added to the reward:
 * 0 up to `maxNewTokens - buffer` tokens, from there falling in a line to `-penalty` at `maxNewTokens`.
 *
 * @param buffer tokens over which it falls; 0: no punishment at all.
 */
export function overlongPenalty(
  tokens: number,
  options: { readonly maxNewTokens: number; readonly buffer: number; readonly penalty: number },
): number {
  const { maxNewTokens, buffer, penalty } = options;
  const into = tokens - (maxNewTokens - buffer);
  return buffer === 0 || into <= 0 ? 0 : -penalty * Math.min(1, into / buffer);
}

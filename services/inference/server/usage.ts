import type { Generation } from '../engine/generation.ts';

/** OpenAI's `usage`: each prompt counts once, however many completions it has. */
export function usageOf(
  prompts: readonly { readonly tokens: readonly number[] }[],
  generations: readonly Generation[],
): Record<string, unknown> {
  const promptTokens = prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const completionTokens = generations
    .flatMap(({ choices }) => choices)
    .reduce((sum, { tokens }) => sum + tokens.length, 0);
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
    prompt_tokens_details: { cached_tokens: generations.reduce((sum, { cachedTokens }) => sum + cachedTokens, 0) },
  };
}

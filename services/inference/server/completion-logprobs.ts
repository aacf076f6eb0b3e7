import type { Generation } from '../engine/generation.ts';
import type { RankedToken } from '../engine/token-logprobs.ts';
import { ApiError } from './api-error.ts';
import type { TokenText } from './token-text.ts';

/** OpenAI clients read JSON, which has no -Infinity: vLLM sends this instead. */
const LOWEST_LOGPROB = -9999;

/** @throws ApiError for logprobs that are NaN: JSON has only null for them, which says nothing of the cause */
export function requireNumbers(generations: readonly Generation[]): void {
  for (const { choices, promptLogprobs } of generations) {
    const positions = [...choices.flatMap(({ logprobs }) => logprobs ?? []), ...(promptLogprobs ?? [])];
    if (!positions.some((position) => position?.some(({ logprob }) => Number.isNaN(logprob)))) continue;
    const message = 'the logprobs are no numbers (NaN): the weights of this model are damaged or have diverged';
    throw new ApiError(500, 'InternalServerError', message);
  }
}

export interface CompletionLogprobs {
  readonly text_offset: number[];
  readonly token_logprobs: number[];
  readonly tokens: string[];
  readonly top_logprobs: Record<string, number>[];
}

/** Logprobs in the shape of `/v1/completions`; all lists are as long as the tokens. */
export function completionLogprobs(
  ranked: readonly (readonly RankedToken[])[],
  options: { readonly text: TokenText; readonly asTokenIds: boolean; readonly textOffset?: number },
): CompletionLogprobs {
  const name = ({ token }: RankedToken) => (options.asTokenIds ? `token_id:${token}` : options.text.token(token));
  const tokens = ranked.map(([chosen]) => name(chosen!));
  let offset = options.textOffset ?? 0;
  return {
    text_offset: tokens.map((token) => {
      offset += token.length;
      return offset - token.length;
    }),
    token_logprobs: ranked.map(([chosen]) => finite(chosen!.logprob)),
    tokens,
    top_logprobs: ranked.map((position) => {
      // The chosen token comes first and wins where two tokens have the same text.
      const pairs = position.map((entry) => [name(entry), finite(entry.logprob)] as const);
      return Object.fromEntries(pairs.reverse());
    }),
  };
}

/** Logprobs in the shape of `/v1/chat/completions`. */
export function chatLogprobs(ranked: readonly (readonly RankedToken[])[], text: TokenText, top: number): unknown {
  const entry = ({ token, logprob }: RankedToken) => {
    const name = text.token(token);
    return { token: name, logprob: finite(logprob), bytes: [...Buffer.from(name)] };
  };
  const content = ranked.map((position) => ({
    ...entry(position[0]!),
    top_logprobs: [...position]
      .sort((a, b) => a.rank - b.rank)
      .slice(0, top)
      .map(entry),
  }));
  return { content };
}

/** `prompt_logprobs`: null for the first token, then by token id. */
export function promptLogprobs(
  positions: readonly (readonly RankedToken[] | null)[] | null,
  text: TokenText,
): (Record<string, unknown> | null)[] | null {
  if (positions === null) return null;
  return positions.map((position) => {
    if (position === null) return null;
    const entries = position.map(({ token, logprob, rank }) => {
      return [token, { logprob: finite(logprob), rank, decoded_token: text.token(token) }] as const;
    });
    return Object.fromEntries(entries);
  });
}

function finite(logprob: number): number {
  return Math.max(logprob, LOWEST_LOGPROB);
}

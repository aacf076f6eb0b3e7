import { taskSeed } from './collect-rollouts.ts';
import type { Episode } from './inference-server.ts';

/**
 * An episode of several turns. What was sampled is sent again as the tokens that it was, never as text that is tokenised anew: so the trainer learns from what the
 * policy saw, and the server finds all earlier turns in its prefix cache, which one policy and so one cache salt for the whole episode leave valid.
 */
export interface Conversation {
  /** All so far in their order: the prompt, what was drawn, and what was added in between. */
  tokens(): readonly number[];
  /** Adds what somebody else says, as tokens. */
  add(tokens: readonly number[]): void;
  /** Draws the next turn and adds it. @returns null when the context has no room for a token more */
  draw(signal: AbortSignal): Promise<Turn | null>;
}

export interface Turn {
  /** How many tokens came before it: its prompt is as many of the conversation. */
  readonly start: number;
  readonly tokens: readonly number[];
  readonly logprobs: readonly number[];
  readonly finishReason: string;
}

/**
 * @param seed of the episode; each turn has one of its own
 * @param maxTokens of one turn
 * @param contextLength of all turns, in tokens
 */
export function createConversation(params: {
  readonly episode: Episode;
  readonly prompt: readonly number[];
  readonly seed: number;
  readonly temperature: number;
  readonly maxTokens: number;
  readonly contextLength: number;
  readonly stopTokenIds: readonly number[];
}): Conversation {
  const { episode, seed, temperature, contextLength, stopTokenIds } = params;
  const tokens = [...params.prompt];
  let turns = 0;

  return {
    tokens: () => tokens,
    add: (more) => void tokens.push(...more),
    async draw(signal) {
      const start = tokens.length;
      const maxTokens = Math.min(params.maxTokens, contextLength - start);
      if (maxTokens < 1) return null;
      const request = { prompt: [...tokens], n: 1, maxTokens, temperature, stopTokenIds };
      const [drawn] = await episode.complete({ ...request, seed: taskSeed(seed, ['turn'], turns) }, signal);
      turns += 1;
      tokens.push(...drawn!.tokens);
      return { start, ...drawn! };
    },
  };
}

import type { SamplingOptions } from './sampling-options.ts';

/** Why a completion ended. `stopReason` is the stop token or string; null for an end token and for length. */
export interface Finish {
  readonly reason: 'stop' | 'length' | 'abort';
  readonly stopReason: number | string | null;
}

type StopOptions = Pick<
  SamplingOptions,
  'eosTokenIds' | 'ignoreEos' | 'stopTokenIds' | 'minTokens' | 'maxTokens' | 'stop' | 'includeStopInOutput'
>;

/** Whether the newest token ends the completion: end tokens first, then stop tokens, then length, as vLLM checks them. */
export function finishAfter(tokens: readonly number[], options: StopOptions): Finish | null {
  const last = tokens.at(-1);
  if (last !== undefined && tokens.length >= options.minTokens) {
    if (!options.ignoreEos && options.eosTokenIds.includes(last)) return { reason: 'stop', stopReason: null };
    if (options.stopTokenIds.includes(last)) return { reason: 'stop', stopReason: last };
  }
  return tokens.length >= options.maxTokens ? { reason: 'length', stopReason: null } : null;
}

/** Tokens that must not be drawn yet, so that a completion gets its minimum length. */
export function bannedTokens(generated: number, options: StopOptions): readonly number[] {
  return generated < options.minTokens ? [...new Set([...options.eosTokenIds, ...options.stopTokenIds])] : [];
}

/** Where a completion's text is cut. */
export interface StopMatch {
  readonly stop: string;
  readonly text: string;
}

/**
 * Finds the stop string that appears first.
 * @param from where the newest text begins; a stop string may begin before it
 */
export function matchStop(text: string, from: number, options: StopOptions): StopMatch | null {
  let earliest: { stop: string; at: number } | null = null;
  for (const stop of options.stop) {
    const at = text.indexOf(stop, Math.max(0, from - stop.length + 1));
    if (at >= 0 && (earliest === null || at < earliest.at)) earliest = { stop, at };
  }
  if (earliest === null) return null;
  const end = earliest.at + (options.includeStopInOutput ? earliest.stop.length : 0);
  return { stop: earliest.stop, text: text.slice(0, end) };
}

import { type ChoiceState, type PromptState, reusableTokens } from './generation.ts';
import type { ServedModel } from './served-model.ts';

/** A sequence and how many of its waiting tokens it takes in now. */
export type Step =
  | { readonly kind: 'choice'; readonly choice: ChoiceState; readonly count: 1 }
  | { readonly kind: 'prompt'; readonly prompt: PromptState; readonly count: number };

export interface StepLimits {
  /** Tokens of one forward pass. */
  readonly maxBatchedTokens: number;
  /** Different adapters of one forward pass. */
  readonly maxLoras: number;
}

/**
 * Picks what one iteration computes: a token for every running choice, then as many prompt tokens as the limit leaves, in the
 * order of arrival. A long prompt is read in pieces, so running completions never wait for it. What one prompt is reading now no other reads beside
 * it: that one finds it in the next iteration.
 */
export function chooseSteps(
  running: readonly ChoiceState[],
  reading: readonly PromptState[],
  limits: StepLimits,
): Step[] {
  const fits = adapterGate(limits.maxLoras);
  const steps: Step[] = [];
  const beingRead = new Set<string>();
  let left = limits.maxBatchedTokens;
  for (const choice of running) {
    if (left === 0 || !fits(choice.prompt.request.model)) continue;
    steps.push({ kind: 'choice', choice, count: 1 });
    left--;
  }
  for (const prompt of reading) {
    const count = Math.min(prompt.request.prompt.length - prompt.fed, left);
    const ahead = prompt.kv?.trail.ahead(reusableTokens(prompt.request)) ?? null;
    if (count === 0 || (ahead !== null && beingRead.has(ahead)) || !fits(prompt.request.model)) continue;
    if (ahead !== null) beingRead.add(ahead);
    steps.push({ kind: 'prompt', prompt, count });
    left -= count;
  }
  return steps;
}

/** Lets in the first `maxLoras` adapters it is asked about, and everything that uses none. */
function adapterGate(maxLoras: number): (model: ServedModel) => boolean {
  const adapters = new Set<unknown>();
  return ({ adapter }) => {
    if (adapter === undefined || adapters.has(adapter)) return true;
    if (adapters.size === maxLoras) return false;
    adapters.add(adapter);
    return true;
  };
}

import { createKvCache } from '../../model/kv-cache.ts';
import type { KvPool } from '../../model/kv-pool.ts';
import { advanceChoice } from './advance-choice.ts';
import type { DecodeText } from './completion-text.ts';
import { createDetokenizer } from './detokenizer.ts';
import {
  type CachedSequence,
  type ChoiceState,
  type GenerationRequest,
  type PromptState,
  reusableTokens,
} from './generation.ts';
import { type KvBudget, type KvDemand, kvDemand } from './kv-budget.ts';
import type { PrefixCache } from './prefix-cache.ts';

/** Who is where: prompts wait, are read, and turn into running choices. With it goes the memory promised to each. */
export interface SequenceBook {
  readonly waiting: readonly PromptState[];
  /** Let in, with prompt tokens still to read or choices still to start; in order of arrival. */
  readonly reading: readonly PromptState[];
  readonly running: readonly ChoiceState[];
  enter(prompt: PromptState): void;
  /** Lets in waiting prompts, oldest first, while there is room. */
  admit(): void;
  /** Gives prompts what has been computed for others with the same beginning. */
  adoptPrefixes(): void;
  /** Starts choices of prompts that have been read, while there is room; each draws its first token. */
  startChoices(onToken: (choice: ChoiceState) => void): void;
  /** Takes out what has finished. @returns the prompts whose choices are now all finished. */
  settle(): PromptState[];
  /** Takes a prompt out with all its choices. @returns false when it is not here any more. */
  remove(prompt: PromptState): boolean;
}

export function createSequenceBook(params: {
  readonly budget: KvBudget;
  readonly pool: KvPool;
  readonly prefixes: PrefixCache;
  readonly maxSequences: number;
  readonly decodeText: DecodeText;
}): SequenceBook {
  const { budget, pool, prefixes, maxSequences, decodeText } = params;
  /** Let in and not finished: these hold memory. */
  const inside = new Set<PromptState>();
  let waiting: PromptState[] = [];
  let reading: PromptState[] = [];
  let running: ChoiceState[] = [];

  function admit(): void {
    // What was let in comes first: otherwise a stream of new prompts could hold up the later choices of an old one for ever.
    const unstarted = reading.reduce((sum, { request, choices }) => sum + request.n - choices.length, 0);
    let room = maxSequences - running.length - unstarted;
    while (room > 0 && waiting.length > 0 && budget.reserve(demandOf(waiting[0]!.request).base)) {
      const prompt = waiting.shift()!;
      prompt.kv = newSequence(prompt.request);
      inside.add(prompt);
      reading.push(prompt);
      room -= prompt.request.n;
    }
  }

  function newSequence({ model, prompt, cacheSalt }: GenerationRequest): CachedSequence {
    const cache = createKvCache(pool, model.decoder.config);
    return { cache, trail: prefixes.follow(model, cacheSalt, cache, (i) => prompt[i]!) };
  }

  function adoptPrefixes(): void {
    for (const prompt of reading) {
      if (prompt.lastRow || !prompt.kv) continue;
      const rows = prompt.kv.trail.adopt(reusableTokens(prompt.request));
      prompt.fed += rows;
      prompt.cachedTokens += rows;
    }
  }

  function startChoices(onToken: (choice: ChoiceState) => void): void {
    for (const prompt of reading) {
      while (prompt.lastRow && prompt.choices.length < prompt.request.n && running.length < maxSequences) {
        const choice = newChoice(prompt);
        if (choice === null) break;
        prompt.choices.push(choice);
        running.push(choice);
        advanceChoice(choice, { values: prompt.lastRow, at: 0, vocabulary: prompt.lastRow.length });
        onToken(choice);
        if (choice.finish) release(choice);
      }
      if (prompt.choices.length === prompt.request.n) [prompt.lastRow, prompt.kv] = [null, null];
    }
    reading = reading.filter(({ choices, request }) => choices.length < request.n);
  }

  function newChoice(prompt: PromptState): ChoiceState | null {
    const { request, choices } = prompt;
    const ownBytes = prompt.placeFree ? 0 : demandOf(request).choice;
    if (!budget.reserve(ownBytes)) return null;
    if (ownBytes === 0) prompt.placeFree = false;
    const { skipSpecialTokens, stop, logprobs } = request.options;
    const tokens: number[] = [];
    const readsText = stop.length > 0 || request.onProgress !== undefined;
    return {
      prompt,
      index: choices.length,
      kv: branch(prompt, tokens),
      tokens,
      logprobs: logprobs === null ? null : [],
      detokenizer: readsText ? createDetokenizer((tokens) => decodeText(tokens, { skipSpecialTokens })) : null,
      ownBytes,
      text: '',
      finish: null,
    };
  }

  /** The last choice goes on with the prompt's own cache. */
  function branch({ request, choices, kv }: PromptState, tokens: readonly number[]): CachedSequence {
    const { prompt } = request;
    const cache = choices.length === request.n - 1 ? kv!.cache : kv!.cache.fork();
    return { cache, trail: kv!.trail.fork(cache, (i) => prompt[i] ?? tokens[i - prompt.length]!) };
  }

  /** Gives back a choice's memory and place; its tokens stay for the answer. */
  function release(choice: ChoiceState): void {
    choice.kv?.cache.release();
    choice.kv = null;
    if (choice.ownBytes === 0) choice.prompt.placeFree = true;
    budget.release(choice.ownBytes);
    running = running.filter((other) => other !== choice);
  }

  function settle(): PromptState[] {
    for (const choice of running.filter(({ finish }) => finish !== null)) release(choice);
    const done = [...inside].filter(({ choices, request }) => {
      return choices.length === request.n && choices.every(({ finish }) => finish !== null);
    });
    for (const prompt of done) leave(prompt);
    return done;
  }

  function remove(prompt: PromptState): boolean {
    if (inside.has(prompt)) {
      for (const choice of running.filter((other) => other.prompt === prompt)) release(choice);
      leave(prompt);
      return true;
    }
    const waits = waiting.includes(prompt);
    waiting = waiting.filter((other) => other !== prompt);
    return waits;
  }

  function leave(prompt: PromptState): void {
    inside.delete(prompt);
    prompt.kv?.cache.release();
    [prompt.kv, prompt.lastRow] = [null, null];
    reading = reading.filter((other) => other !== prompt);
    budget.release(demandOf(prompt.request).base);
  }

  return {
    get waiting() {
      return waiting;
    },
    get reading() {
      return reading;
    },
    get running() {
      return running;
    },
    enter: (prompt) => void waiting.push(prompt),
    admit,
    adoptPrefixes,
    startChoices,
    settle,
    remove,
  };
}

/** What a request reserves. */
export function demandOf({ model, prompt, options, n }: GenerationRequest): KvDemand {
  return kvDemand(model.decoder.config, { promptTokens: prompt.length, maxTokens: options.maxTokens, n });
}

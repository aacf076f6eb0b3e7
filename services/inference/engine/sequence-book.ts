import { createKvCache } from '../../model/kv-cache.ts';
import { advanceChoice } from './advance-choice.ts';
import type { DecodeText } from './completion-text.ts';
import { createDetokenizer } from './detokenizer.ts';
import type { ChoiceState, GenerationRequest, PromptState } from './generation.ts';
import { type KvBudget, kvBytes } from './kv-budget.ts';

/** Who is where: prompts wait, are read, and turn into running choices. With it goes the memory promised to each. */
export interface SequenceBook {
  readonly waiting: readonly PromptState[];
  /** Let in, with prompt tokens still to read or choices still to start; in order of arrival. */
  readonly reading: readonly PromptState[];
  readonly running: readonly ChoiceState[];
  enter(prompt: PromptState): void;
  /** Lets in waiting prompts, oldest first, while there is room. */
  admit(): void;
  /** Starts choices of prompts that have been read, while there is room; each draws its first token. */
  startChoices(onToken: (choice: ChoiceState) => void): void;
  /** Takes out what has finished. @returns the prompts whose choices are now all finished. */
  settle(): PromptState[];
  /** Takes a prompt out with all its choices. @returns false when it is not here any more. */
  remove(prompt: PromptState): boolean;
}

export function createSequenceBook(params: {
  readonly budget: KvBudget;
  readonly maxSequences: number;
  readonly decodeText: DecodeText;
}): SequenceBook {
  const { budget, maxSequences, decodeText } = params;
  /** Let in and not finished: these hold memory. */
  const inside = new Set<PromptState>();
  let waiting: PromptState[] = [];
  let reading: PromptState[] = [];
  let running: ChoiceState[] = [];

  function admit(): void {
    // What was let in comes first: otherwise a stream of new prompts could hold up the later choices of an old one for ever.
    const unstarted = reading.reduce((sum, { request, choices }) => sum + request.n - choices.length, 0);
    let room = maxSequences - running.length - unstarted;
    while (room > 0 && waiting.length > 0 && budget.reserve(baseBytes(waiting[0]!.request))) {
      const prompt = waiting.shift()!;
      prompt.cache = createKvCache(prompt.request.model.decoder.config);
      inside.add(prompt);
      reading.push(prompt);
      room -= prompt.request.n;
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
      if (prompt.choices.length === prompt.request.n) [prompt.lastRow, prompt.cache] = [null, null];
    }
    reading = reading.filter(({ choices, request }) => choices.length < request.n);
  }

  function newChoice(prompt: PromptState): ChoiceState | null {
    const { request, choices } = prompt;
    const ownBytes = prompt.placeFree ? 0 : sequenceBytes(request);
    if (!budget.reserve(ownBytes)) return null;
    if (ownBytes === 0) prompt.placeFree = false;
    const { skipSpecialTokens, stop, logprobs } = request.options;
    const readsText = stop.length > 0 || request.onProgress !== undefined;
    return {
      prompt,
      index: choices.length,
      cache: choices.length === request.n - 1 ? prompt.cache : prompt.cache!.fork(),
      tokens: [],
      logprobs: logprobs === null ? null : [],
      detokenizer: readsText ? createDetokenizer((tokens) => decodeText(tokens, { skipSpecialTokens })) : null,
      ownBytes,
      text: '',
      finish: null,
    };
  }

  /** Gives back a choice's memory and place; its tokens stay for the answer. */
  function release(choice: ChoiceState): void {
    choice.cache = null;
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
    [prompt.cache, prompt.lastRow] = [null, null];
    reading = reading.filter((other) => other !== prompt);
    budget.release(baseBytes(prompt.request));
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
    startChoices,
    settle,
    remove,
  };
}

/** Reserved while a prompt is inside: its own rows and those of one choice at a time, so that it can always go on. */
export function baseBytes(request: GenerationRequest): number {
  const prompt = request.n > 1 ? kvBytes(request.model.decoder.config, request.prompt.length) : 0;
  return prompt + sequenceBytes(request);
}

function sequenceBytes({ model, prompt, options }: GenerationRequest): number {
  return kvBytes(model.decoder.config, prompt.length + options.maxTokens);
}

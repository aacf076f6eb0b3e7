import { createKvPool } from '../../model/kv-pool.ts';
import { chooseSteps, type StepLimits } from './choose-steps.ts';
import { completionOf, type DecodeText } from './completion-text.ts';
import { computeSteps } from './compute-steps.ts';
import { EngineDeadError, EngineRefusal } from './engine-errors.ts';
import type { ChoiceState, Generation, GenerationRequest, PromptState } from './generation.ts';
import { createKvBudget } from './kv-budget.ts';
import { createPrefixCache } from './prefix-cache.ts';
import { createSequenceBook, demandOf } from './sequence-book.ts';
import type { ServedModel } from './served-model.ts';

/** What the engine keeps to. */
export interface EngineLimits extends StepLimits {
  /** Completions that grow at the same time. */
  readonly maxSequences: number;
  /** Prompts that wait; more are refused. */
  readonly maxWaiting: number;
  readonly kvCacheBytes: number;
}

/** Told what happens, for metrics. Durations are in seconds since the prompt arrived. */
export interface EngineObserver {
  iteration(tokens: number): void;
  tokenDrawn(): void;
  firstToken(after: number): void;
  /** A prompt has been read; so many of its tokens had been computed for others. Not told of prompts that must be computed whole. */
  prefixLookedUp(tokens: number, found: number): void;
  finished(request: GenerationRequest, generation: Generation, after: number): void;
}

export interface EngineLoad {
  readonly running: number;
  readonly waiting: number;
  /** Share of the KV cache that sequences use, 0 to 1. */
  readonly kvUsage: number;
  /** Bytes of the KV cache: in use by sequences, and all that it has taken from the machine. */
  readonly kvUsedBytes: number;
  readonly kvHeldBytes: number;
}

export interface InferenceEngine {
  /** @throws EngineRefusal, EngineDeadError, EngineMemoryError, or the reason the signal was aborted with. */
  generate(request: GenerationRequest): Promise<Generation>;
  readonly load: EngineLoad;
  /** Call when weights have been unloaded: what they computed is of no use any more. */
  forget(model: ServedModel): void;
  /** Nothing computed up to now is used again for other requests. */
  resetPrefixes(): void;
  /** Does work that needs the event loop often, and so would otherwise get on by one step in each iteration: none begins before it is done, for `ASIDE_MS` at most. */
  aside<T>(work: () => Promise<T>): Promise<T>;
  /** The error that ended the engine, if one did. */
  readonly death: Error | null;
  /** Ends all completions where they are, with finish reason `abort`; later requests are refused. */
  stop(): void;
}

const ASIDE_MS = 50;

/**
 * Continuous batching: each iteration is one forward pass that reads prompts as they arrive, in pieces, and computes one token
 * for every running completion; between iterations the event loop turns. What a completion is does not depend on any of this.
 */
export function createInferenceEngine(params: {
  readonly limits: EngineLimits;
  readonly decodeText: DecodeText;
  readonly observer: EngineObserver;
  /** Seconds, from any start. */
  readonly now: () => number;
  /** Called once, when an error has left the engine in an unknown state; nothing is computed afterwards. */
  readonly onDeath: (error: Error) => void;
}): InferenceEngine {
  const { limits, decodeText, observer, now } = params;
  const budget = createKvBudget(limits.kvCacheBytes);
  const pool = createKvPool(limits.kvCacheBytes);
  const prefixes = createPrefixCache(pool);
  const book = createSequenceBook({ budget, pool, prefixes, maxSequences: limits.maxSequences, decodeText });
  let death: Error | null = null;
  let stopped = false;
  let scheduled = false;
  /** Since when there has been work that iterations wait for, by each piece of it. */
  const waitedFor = new Set<{ readonly since: number }>();

  async function generate(request: GenerationRequest): Promise<Generation> {
    if (death) throw new EngineDeadError(death);
    if (stopped) throw new EngineRefusal('unavailable', 'the server is stopping: send the request to another one');
    refuseTooMuch(request, book.waiting.length, limits);
    request.signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const prompt = newPrompt(request, now(), resolve, reject);
      request.signal?.addEventListener('abort', () => drop(prompt, request.signal?.reason), { once: true });
      book.enter(prompt);
      schedule();
    });
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      if (isAside()) return schedule();
      try {
        iterate();
      } catch (error) {
        die(error instanceof Error ? error : new Error(String(error)));
      }
      if (held().length > 0) schedule();
    });
  }

  function isAside(): boolean {
    return [...waitedFor].some(({ since }) => now() - since < ASIDE_MS / 1000);
  }

  async function aside<T>(work: () => Promise<T>): Promise<T> {
    const waited = { since: now() };
    waitedFor.add(waited);
    try {
      return await work();
    } finally {
      waitedFor.delete(waited);
    }
  }

  function iterate(): void {
    book.startChoices(onToken);
    book.admit();
    book.adoptPrefixes();
    const steps = chooseSteps(book.running, book.reading, limits);
    computeSteps(steps, { onPromptRead, onToken, onFailure: drop });
    observer.iteration(steps.reduce((sum, { count }) => sum + count, 0));
    book.startChoices(onToken);
    for (const prompt of book.settle()) finish(prompt);
  }

  function onPromptRead({ request, cachedTokens }: PromptState): void {
    if (request.options.promptLogprobs === null) observer.prefixLookedUp(request.prompt.length, cachedTokens);
  }

  function onToken(choice: ChoiceState): void {
    const { request, arrivedAt } = choice.prompt;
    observer.tokenDrawn();
    if (choice.index === 0 && choice.tokens.length === 1) observer.firstToken(now() - arrivedAt);
    request.onProgress?.(choice.index, completionOf(choice, decodeText));
  }

  function finish(prompt: PromptState): void {
    const generation = {
      choices: prompt.choices.map((choice) => completionOf(choice, decodeText)),
      promptLogprobs: prompt.promptLogprobs,
      cachedTokens: prompt.cachedTokens,
    };
    observer.finished(prompt.request, generation, now() - prompt.arrivedAt);
    prompt.resolve(generation);
  }

  function drop(prompt: PromptState, error: unknown): void {
    if (book.remove(prompt)) prompt.reject(error);
  }

  function die(error: Error): void {
    death = error;
    for (const prompt of held()) drop(prompt, new EngineDeadError(error));
    params.onDeath(error);
  }

  function stop(): void {
    stopped = true;
    for (const prompt of held()) {
      if (!book.remove(prompt)) continue;
      for (const choice of prompt.choices) choice.finish ??= { reason: 'abort', stopReason: null };
      if (prompt.choices.length === prompt.request.n) finish(prompt);
      else prompt.reject(new EngineRefusal('unavailable', 'the server stopped before it could answer'));
    }
  }

  function held(): PromptState[] {
    return [...new Set([...book.running.map(({ prompt }) => prompt), ...book.reading, ...book.waiting])];
  }

  return {
    generate,
    get load() {
      const { running, reading, waiting } = book;
      const unread = reading.filter(({ lastRow }) => lastRow === null).length;
      return {
        running: running.length + unread,
        waiting: waiting.length,
        kvUsage: pool.usedBytes / pool.limitBytes,
        kvUsedBytes: pool.usedBytes,
        kvHeldBytes: pool.heldBytes,
      };
    },
    forget: prefixes.forget,
    resetPrefixes: prefixes.reset,
    aside,
    get death() {
      return death;
    },
    stop,
  };
}

function refuseTooMuch(request: GenerationRequest, waiting: number, limits: EngineLimits): void {
  if (waiting >= limits.maxWaiting) {
    throw new EngineRefusal('unavailable', `${waiting} prompts are waiting already: try again later`);
  }
  const needed = demandOf(request).base;
  if (needed <= limits.kvCacheBytes) return;
  const [need, limit] = [needed, limits.kvCacheBytes].map((bytes) => Math.ceil(bytes / 2 ** 20));
  throw new EngineRefusal(
    'too_large',
    `the prompt and max_tokens need ${need} MiB of KV cache and the server has ${limit} MiB: ` +
      'lower max_tokens, shorten the prompt, or start the server with a larger --kv-cache-memory-bytes',
  );
}

function newPrompt(
  request: GenerationRequest,
  arrivedAt: number,
  resolve: (generation: Generation) => void,
  reject: (error: unknown) => void,
): PromptState {
  return {
    request,
    kv: null,
    fed: 0,
    cachedTokens: 0,
    lastRow: null,
    choices: [],
    promptLogprobs: request.options.promptLogprobs === null ? null : [null],
    placeFree: true,
    arrivedAt,
    resolve,
    reject,
  };
}

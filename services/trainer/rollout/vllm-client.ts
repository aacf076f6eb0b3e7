import { z } from 'zod';
import { type HttpCall, type HttpReply, httpCall } from './http-call.ts';
import { InferenceError } from './inference-error.ts';
import { createStallWatch } from './stall-watch.ts';
import { parseAnswer, readCompletions, readPromptLogprobs } from './vllm-answers.ts';
import { explainNoAnswer, explainStatus } from './vllm-failures.ts';
import { readProgress, type ServerProgress } from './vllm-metrics.ts';
import {
  completionBody,
  loadCall,
  longestAnswer,
  PLAIN_BYTES,
  promptLogprobsBody,
  unloadCall,
} from './vllm-requests.ts';

export interface CompletionRequest {
  readonly model: string;
  readonly prompt: readonly number[];
  readonly n: number;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
  readonly stopTokenIds: readonly number[];
  /** Names this try of the request to the server, and the answer to it; begins with `REQUEST_ID_PREFIX`. */
  readonly id?: string;
}

export interface Completion {
  /** The token that ended it included. */
  readonly tokens: readonly number[];
  /** Of each token, at the request's temperature, in nats. */
  readonly logprobs: readonly number[];
  readonly finishReason: string;
}

/** The part of vLLM's API that training needs. Each call is made once, to where `url` points at that moment. @throws InferenceError */
export interface VllmClient {
  completions(request: CompletionRequest, signal: AbortSignal): Promise<Completion[]>;
  /** Logprob of each token of the prompt but the first, at temperature 1. */
  promptLogprobs(model: string, prompt: readonly number[], signal: AbortSignal): Promise<number[]>;
  load(policy: PublishedPolicy, signal: AbortSignal): Promise<void>;
  unload(policy: PublishedPolicy, signal: AbortSignal): Promise<void>;
  /** What is served, as `GET /v1/models` lists it. */
  models(signal: AbortSignal): Promise<ModelCard[]>;
  /** What `GET /version` says; null where there is none. Our own server is `tandem`. */
  version(signal: AbortSignal): Promise<string | null>;
  /** Frees the GPUs: weights go to memory of the host, everything else is dropped. vLLM in development mode alone. */
  sleep(signal: AbortSignal): Promise<void>;
  wakeUp(signal: AbortSignal): Promise<void>;
  isSleeping(signal: AbortSignal): Promise<boolean>;
  /** Whether `GET /health` answers 200. */
  healthy(signal: AbortSignal): Promise<boolean>;
}

/** Something that is served under a name. */
export interface ModelCard {
  readonly id: string;
  /** Where the server found it. */
  readonly root: string | null;
  /** The base model of an adapter; null for a base model. */
  readonly parent: string | null;
  /** In tokens; null for an adapter. */
  readonly contextLength: number | null;
}

/** Weights on disk under a name of their own: a LoRA adapter or a whole model. */
export interface PublishedPolicy {
  readonly kind: 'adapter' | 'model';
  /** Of the policy: how many updates it has seen. One version may be published under several names. */
  readonly version: number;
  readonly name: string;
  readonly path: string;
}

const versionSchema = z.object({ version: z.string() });
const sleepingSchema = z.object({ is_sleeping: z.boolean() });
const modelsSchema = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      root: z.string().nullish(),
      parent: z.string().nullish(),
      max_model_len: z.int().nullish(),
    }),
  ),
});

/** For what a server answers from memory, in milliseconds. */
const PROBE_MS = 5000;
const METRICS_BYTES = 2 ** 24;

/**
 * @param url base URL ending in `/v1`, asked for at each call since a restarted server may listen elsewhere
 * @param timeoutSeconds for what the server generates while it gets nothing done, and for everything else
 * @param vocabSize of the model that is to be served: ids of tokens are lower
 * @param onSlow told when a completion takes longer than `timeoutSeconds` though the server gets on
 */
export function createVllmClient(params: {
  readonly url: () => string;
  readonly timeoutSeconds: number;
  readonly vocabSize?: number;
  readonly onSlow?: (message: string) => void;
}): VllmClient {
  const { url, timeoutSeconds, vocabSize, onSlow = () => undefined } = params;
  const timeoutMs = timeoutSeconds * 1000;
  const watch = createStallWatch({ timeoutMs, look, now: () => performance.now(), onSlow });

  async function reach(path: string, signal: AbortSignal, options: CallOptions = {}): Promise<HttpReply> {
    // Probes and loads shall not wait for connections behind the completions that they are about.
    const limits = { timeoutMs, maxBytes: PLAIN_BYTES, among: 'few', ...options } as const;
    const target = `${url().replace(/\/v1\/?$/, '/')}${path}`;
    try {
      return await httpCall({ url: new URL(target), signal, ...limits });
    } catch (cause) {
      signal.throwIfAborted();
      throw explainNoAnswer(target, cause, limits.timeoutMs);
    }
  }

  async function call(path: string, signal: AbortSignal, options?: CallOptions): Promise<string> {
    const reply = await reach(path, signal, options);
    if (reply.status === 200) return reply.text;
    throw explainStatus(path, reply);
  }

  async function look(signal: AbortSignal): Promise<ServerProgress | null> {
    return readProgress(await call('metrics', signal, { timeoutMs: PROBE_MS, maxBytes: METRICS_BYTES }));
  }

  /** What the server queues behind all that it has, and is waited for while it gets on with that. */
  function generate(
    request: Pick<CompletionRequest, 'prompt' | 'n' | 'maxTokens'>,
    signal: AbortSignal,
    options: Pick<CallOptions, 'body' | 'headers'>,
  ): Promise<string> {
    const maxBytes = longestAnswer(request);
    return watch.watch(request.n * request.maxTokens, signal, (until, uncounted) =>
      call('v1/completions', until, { ...options, maxBytes, uncounted, among: 'many' }),
    );
  }

  return {
    async completions(request, signal) {
      const headers: Record<string, string> = request.id === undefined ? {} : { 'x-request-id': request.id };
      const text = await generate(request, signal, { body: completionBody(request), headers });
      return readCompletions(request, text, vocabSize);
    },
    async promptLogprobs(model, prompt, signal) {
      const body = promptLogprobsBody(model, prompt);
      return readPromptLogprobs(model, prompt, await generate({ prompt, n: 1, maxTokens: 1 }, signal, { body }));
    },
    async load(policy, signal) {
      const { path, body } = loadCall(policy);
      await call(path, signal, { body });
    },
    async unload(policy, signal) {
      const { path, body } = unloadCall(policy);
      await call(path, signal, { body });
    },
    async models(signal) {
      const { data } = parseAnswer(modelsSchema, await call('v1/models', signal));
      return data.map(({ id, root, parent, max_model_len: contextLength }) => {
        return { id, root: root ?? null, parent: parent ?? null, contextLength: contextLength ?? null };
      });
    },
    async version(signal) {
      const reply = await reach('version', signal);
      if (reply.status >= 500) throw explainStatus('version', reply);
      return reply.status === 200 ? parseAnswer(versionSchema, reply.text).version : null;
    },
    async sleep(signal) {
      await call('sleep?level=1', signal, { body: {} });
    },
    async wakeUp(signal) {
      await call('wake_up', signal, { body: {} });
    },
    async isSleeping(signal) {
      return parseAnswer(sleepingSchema, await call('is_sleeping', signal)).is_sleeping;
    },
    async healthy(signal) {
      const reply = await reach('health', signal, { timeoutMs: PROBE_MS }).catch((error) => {
        if (error instanceof InferenceError) return undefined;
        throw error;
      });
      return reply?.status === 200;
    },
  };
}

type CallOptions = Partial<Pick<HttpCall, 'body' | 'headers' | 'timeoutMs' | 'uncounted' | 'maxBytes' | 'among'>>;

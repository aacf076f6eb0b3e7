import { z } from 'zod';
import { type HttpReply, httpCall } from './http-call.ts';

/**
 * How a call to the inference server went wrong: `unreachable` (no connection, 5xx), `timeout`, `unknown_model` (it does not know the
 * name: it has been restarted), `not_numbers` (what the policy computes is NaN), or `refused`; the last two will not change by themselves.
 */
export type InferenceErrorKind = 'unreachable' | 'timeout' | 'unknown_model' | 'not_numbers' | 'refused';

export class InferenceError extends Error {
  readonly kind: InferenceErrorKind;

  constructor(kind: InferenceErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'InferenceError';
    this.kind = kind;
  }
}

export interface CompletionRequest {
  readonly model: string;
  readonly prompt: readonly number[];
  readonly n: number;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
  readonly stopTokenIds: readonly number[];
}

export interface Completion {
  /** The token that ended it included. */
  readonly tokens: readonly number[];
  /** Of each token, at the request's temperature, in nats. */
  readonly logprobs: readonly number[];
  readonly finishReason: string;
}

/** The part of vLLM's API that training needs. Each call is made once, to where `url` points at that moment. */
export interface VllmClient {
  completions(request: CompletionRequest, signal: AbortSignal): Promise<Completion[]>;
  /** Logprob of each token of the prompt but the first, at temperature 1. */
  promptLogprobs(model: string, prompt: readonly number[], signal: AbortSignal): Promise<number[]>;
  load(policy: PublishedPolicy, signal: AbortSignal): Promise<void>;
  unload(policy: PublishedPolicy, signal: AbortSignal): Promise<void>;
  /** What `GET /version` says; null where there is none. Our own server is `tandem`. */
  version(signal: AbortSignal): Promise<string | null>;
  /** Frees the GPUs: weights go to memory of the host, everything else is dropped. vLLM in development mode alone. */
  sleep(signal: AbortSignal): Promise<void>;
  wakeUp(signal: AbortSignal): Promise<void>;
  isSleeping(signal: AbortSignal): Promise<boolean>;
  /** Whether `GET /health` answers 200. */
  healthy(signal: AbortSignal): Promise<boolean>;
}

/** Weights on disk under a name of their own: a LoRA adapter or a whole model. */
export interface PublishedPolicy {
  readonly kind: 'adapter' | 'model';
  /** Of the policy: how many updates it has seen. One version may be published under several names. */
  readonly version: number;
  readonly name: string;
  readonly path: string;
}

/** Null where the server had NaN, which JSON does not have. */
const logprobSchema = z.number().nullable();
const choiceSchema = z.object({
  index: z.int(),
  finish_reason: z.string().nullable(),
  token_ids: z.array(z.int()),
  logprobs: z.object({ token_logprobs: z.array(logprobSchema) }),
});
const versionSchema = z.object({ version: z.string() });
const sleepingSchema = z.object({ is_sleeping: z.boolean() });
const completionsSchema = z.object({ choices: z.array(choiceSchema) });
const promptSchema = z.object({
  choices: z
    .array(
      z.object({ prompt_logprobs: z.array(z.record(z.string(), z.object({ logprob: logprobSchema })).nullable()) }),
    )
    .length(1),
});
/** vLLM writes this for a logprob it does not have. */
const NO_LOGPROB = -9999;

const calls = {
  adapter: { load: 'v1/load_lora_adapter', unload: 'v1/unload_lora_adapter', name: 'lora_name', path: 'lora_path' },
  model: { load: 'tandem/v1/load_model', unload: 'tandem/v1/unload_model', name: 'model_name', path: 'model_path' },
} as const;

/**
 * @param url base URL ending in `/v1`, asked for at each call since a restarted server may listen elsewhere
 * @param timeoutSeconds for completions
 */
export function createVllmClient(params: { readonly url: () => string; readonly timeoutSeconds: number }): VllmClient {
  const { url, timeoutSeconds } = params;
  const timeoutMs = timeoutSeconds * 1000;
  const root = () => url().replace(/\/v1\/?$/, '/');

  async function call(path: string, body: unknown, signal: AbortSignal): Promise<HttpReply> {
    const reply = await reach(`${root()}${path}`, body, timeoutMs, signal);
    if (reply.status === 200) return reply;
    throw errorOf(path, reply);
  }

  return {
    async completions(request, signal) {
      const reply = await call('v1/completions', completionBody(request), signal);
      return readChoices(request, reply.text);
    },
    async promptLogprobs(model, prompt, signal) {
      const body = { model, prompt: [prompt], max_tokens: 1, temperature: 0, prompt_logprobs: 0 };
      const reply = await call('v1/completions', body, signal);
      const [choice] = parse(promptSchema, reply.text).choices;
      return choice!.prompt_logprobs.slice(1).map((entry, i) => {
        const logprob = entry?.[String(prompt[i + 1])]?.logprob;
        if (logprob === null) throw notNumbers(model, 'its prompt');
        return logprob ?? Number.NaN;
      });
    },
    async load({ kind, name, path }, signal) {
      const names = calls[kind];
      await call(names.load, { [names.name]: name, [names.path]: path }, signal);
    },
    async unload({ kind, name }, signal) {
      const names = calls[kind];
      await call(names.unload, { [names.name]: name }, signal);
    },
    async version(signal) {
      const { status, text } = await reach(`${root()}version`, undefined, timeoutMs, signal);
      if (status >= 500) throw errorOf('version', { status, text });
      return status === 200 ? parse(versionSchema, text).version : null;
    },
    async sleep(signal) {
      await call('sleep?level=1', {}, signal);
    },
    async wakeUp(signal) {
      await call('wake_up', {}, signal);
    },
    async isSleeping(signal) {
      const reply = await call('is_sleeping', undefined, signal);
      return parse(sleepingSchema, reply.text).is_sleeping;
    },
    async healthy(signal) {
      const reply = await reach(`${root()}health`, undefined, 5000, signal).catch((error) => {
        if (error instanceof InferenceError) return undefined;
        throw error;
      });
      return reply?.status === 200;
    },
  };
}

/** Every sampling field is said: a vLLM that somebody else started takes the model's generation_config for those that are not. */
function completionBody(request: CompletionRequest): Record<string, unknown> {
  return {
    model: request.model,
    prompt: [request.prompt],
    n: request.n,
    max_tokens: request.maxTokens,
    temperature: request.temperature,
    top_p: 1,
    top_k: -1,
    min_p: 0,
    repetition_penalty: 1,
    seed: request.seed,
    logprobs: 0,
    return_token_ids: true,
    stop_token_ids: request.stopTokenIds,
    // Names are never used twice, so cached blocks can be found by nobody else; this is the second lock on that door.
    cache_salt: request.model,
  };
}

function readChoices({ n, model }: CompletionRequest, text: string): Completion[] {
  const choices = [...parse(completionsSchema, text).choices].sort((a, b) => a.index - b.index);
  if (choices.length !== n || choices.some(({ index }, i) => index !== i)) {
    throw new InferenceError('refused', `asked for ${n} completions, got indices ${choices.map((c) => c.index)}`);
  }
  return choices.map(({ token_ids: tokens, logprobs, finish_reason: finishReason }) => {
    const { token_logprobs: values } = logprobs;
    if (finishReason === 'abort') throw new InferenceError('unreachable', 'the server gave the completion up');
    if (values.includes(null)) throw notNumbers(model, 'a completion');
    const known = values.filter((value) => value !== null && value > NO_LOGPROB) as number[];
    if (values.length !== tokens.length || known.length !== values.length) {
      throw new InferenceError('refused', `a completion of ${tokens.length} tokens came with unusable logprobs`);
    }
    return { tokens, logprobs: known, finishReason: finishReason ?? '' };
  });
}

function notNumbers(model: string, of: string): InferenceError {
  return new InferenceError('not_numbers', `the logprobs of ${of} by ${model} are no numbers`);
}

async function reach(url: string, body: unknown, timeoutMs: number, signal: AbortSignal): Promise<HttpReply> {
  try {
    return await httpCall({ url: new URL(url), body, timeoutMs, signal });
  } catch (cause) {
    signal.throwIfAborted();
    const timedOut = cause instanceof DOMException && cause.name === 'TimeoutError';
    if (timedOut) throw new InferenceError('timeout', `${url} did not answer within ${timeoutMs / 1000} s`, { cause });
    throw new InferenceError('unreachable', `${url} cannot be reached`, { cause });
  }
}

/** How our own server, and the JSON encoder of vLLM, refuse to answer NaN. */
const NOT_NUMBERS = /logprobs are no numbers|not JSON compliant/i;

function errorOf(path: string, { status, text }: Pick<HttpReply, 'status' | 'text'>): InferenceError {
  const message = `the inference server answered ${status} to ${path}: ${text.slice(0, 300)}`;
  if (status === 404 && path === 'v1/completions') return new InferenceError('unknown_model', message);
  if (NOT_NUMBERS.test(text)) return new InferenceError('not_numbers', message);
  return new InferenceError(status >= 500 || status === 429 ? 'unreachable' : 'refused', message);
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InferenceError('refused', `the inference server answered no JSON: ${text.slice(0, 200)}`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue!.path.length === 0 ? 'it' : issue!.path.join('.');
  throw new InferenceError('refused', `the inference server's answer is not as vLLM's: ${field}: ${issue!.message}`);
}

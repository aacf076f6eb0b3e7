import type { CompletionRequest, PublishedPolicy } from './vllm-client.ts';

/** What ids of ours begin with, so that an answer to another of them is told from a server that ignores ids. */
export const REQUEST_ID_PREFIX = 'tandem-';

/** Every sampling field is said: a vLLM that somebody else started takes the model's generation_config for those that are not. */
export function completionBody(request: CompletionRequest): Record<string, unknown> {
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

/** Asks for the logprobs of a prompt; the one token that has to be drawn is not looked at. */
export function promptLogprobsBody(model: string, prompt: readonly number[]): Record<string, unknown> {
  return { model, prompt: [prompt], max_tokens: 1, temperature: 0, prompt_logprobs: 0 };
}

const names = {
  adapter: { load: 'v1/load_lora_adapter', unload: 'v1/unload_lora_adapter', name: 'lora_name', path: 'lora_path' },
  model: { load: 'tandem/v1/load_model', unload: 'tandem/v1/unload_model', name: 'model_name', path: 'model_path' },
} as const;

/** Where to ask for a policy to be loaded, and how. */
export function loadCall({ kind, name, path }: PublishedPolicy): { path: string; body: Record<string, string> } {
  const of = names[kind];
  return { path: of.load, body: { [of.name]: name, [of.path]: path } };
}

export function unloadCall({ kind, name }: PublishedPolicy): { path: string; body: Record<string, string> } {
  const of = names[kind];
  return { path: of.unload, body: { [of.name]: name } };
}

/** Bytes of one token in an answer: its text, which may be many escaped characters, id, logprob and place in the text. */
const TOKEN_BYTES = 1024;
/** Bytes that every answer may have, errors and lists of models among them. */
export const PLAIN_BYTES = 2 ** 20;

/** The longest answer that a request can have, in bytes, with room: what is longer is no answer to it. */
export function longestAnswer({ prompt, n, maxTokens }: Pick<CompletionRequest, 'prompt' | 'n' | 'maxTokens'>): number {
  return PLAIN_BYTES + n * (maxTokens + prompt.length) * TOKEN_BYTES;
}

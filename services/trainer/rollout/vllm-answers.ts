import { z } from 'zod';
import { InferenceError } from './inference-error.ts';
import type { Completion, CompletionRequest } from './vllm-client.ts';
import { shownText } from './vllm-failures.ts';
import { REQUEST_ID_PREFIX } from './vllm-requests.ts';

/** Null where the server had NaN, which JSON does not have. */
const logprobSchema = z.number().nullable();
const choiceSchema = z.object({
  index: z.int(),
  finish_reason: z.string().nullable(),
  token_ids: z.array(z.int().nonnegative()),
  prompt_token_ids: z.array(z.int()),
  logprobs: z.object({ token_logprobs: z.array(logprobSchema) }),
});
type Choice = z.infer<typeof choiceSchema>;
const completionsSchema = z.object({
  id: z.string().optional(),
  model: z.string().optional(),
  choices: z.array(choiceSchema),
});
const promptSchema = z.object({
  choices: z
    .array(
      z.object({ prompt_logprobs: z.array(z.record(z.string(), z.object({ logprob: logprobSchema })).nullable()) }),
    )
    .length(1),
});

/** vLLM writes this for a logprob it does not have. */
const NO_LOGPROB = -9999;
/** By how much rounding may lift a logprob of a token that is certain above 0, in nats. */
const ROUNDING = 1e-3;

/**
 * The completions in the order of their indices, once everything about them is as it was asked for.
 * @param vocabSize ids are lower
 * @throws InferenceError `garbled`: it cannot be read, or answers something else; `unreachable`: a completion was cut short; `not_numbers`; `refused`
 */
export function readCompletions(
  request: CompletionRequest,
  text: string,
  vocabSize = Number.POSITIVE_INFINITY,
): Completion[] {
  const { id, model, choices } = parseAnswer(completionsSchema, text);
  if (isOfAnother(request.id, id))
    throw new InferenceError('garbled', `asked as ${request.id}, got the answer to ${id}`);
  if (model !== undefined && model !== request.model) {
    throw wrong(`asked ${request.model}, and ${model} answered`);
  }
  const sorted = [...choices].sort((a, b) => a.index - b.index);
  if (sorted.length !== request.n || sorted.some(({ index }, i) => index !== i)) {
    throw wrong(`asked for ${request.n} completions, got indices ${sorted.map((c) => c.index)}`);
  }
  return sorted.map((choice) => readChoice(request, choice, vocabSize));
}

function readChoice(request: CompletionRequest, choice: Choice, vocabSize: number): Completion {
  const { token_ids: tokens, finish_reason: finishReason } = choice;
  const { token_logprobs: logprobs } = choice.logprobs;
  if (finishReason === 'abort') throw new InferenceError('unreachable', 'the server gave the completion up');
  const mistake = mistakeIn(request, choice, vocabSize);
  if (mistake !== null) throw wrong(mistake);
  if (logprobs.includes(null)) throw notNumbers(request.model, 'a completion');
  const bad = logprobs.find((value) => value === null || !(value > NO_LOGPROB && value <= ROUNDING));
  if (logprobs.length !== tokens.length || bad !== undefined) {
    const found = bad === undefined ? `${logprobs.length} of them` : `${bad}`;
    throw wrong(`a completion of ${tokens.length} tokens came with unusable logprobs (${found})`);
  }
  return { tokens, logprobs: logprobs as number[], finishReason: finishReason ?? '' };
}

/** What the tokens say against their being an answer to the request. */
function mistakeIn(
  { prompt, maxTokens, stopTokenIds }: CompletionRequest,
  choice: Choice,
  vocabSize: number,
): string | null {
  const { token_ids: tokens, prompt_token_ids: read, finish_reason: finishReason } = choice;
  if (read.length !== prompt.length || read.some((token, i) => token !== prompt[i])) {
    return `the prompt that was read is not the one that was sent (${read.length} tokens of ${prompt.length})`;
  }
  if (finishReason !== 'stop' && finishReason !== 'length') return `a completion ended by ${finishReason}`;
  if (tokens.length === 0 || tokens.length > maxTokens)
    return `a completion of ${tokens.length} tokens, of 1 to ${maxTokens}`;
  const foreign = tokens.find((token) => token >= vocabSize);
  if (foreign !== undefined)
    return `token ${foreign} is beyond the vocabulary of ${vocabSize}: it serves another model`;
  if (tokens.slice(0, -1).some((token) => stopTokenIds.includes(token)))
    return 'a completion goes on after its stop token';
  return null;
}

/** A server that takes no ids makes its own, of which nothing can be told. */
function isOfAnother(asked: string | undefined, answered: string | undefined): boolean {
  const prefix = `cmpl-${REQUEST_ID_PREFIX}`;
  if (asked === undefined || !answered?.startsWith(prefix)) return false;
  return answered !== `cmpl-${asked}` && !answered.startsWith(`cmpl-${asked}-`);
}

/** Logprob of each token of the prompt but the first. @throws InferenceError */
export function readPromptLogprobs(model: string, prompt: readonly number[], text: string): number[] {
  const [choice] = parseAnswer(promptSchema, text).choices;
  const positions = choice!.prompt_logprobs.slice(1);
  if (positions.length !== prompt.length - 1) {
    throw wrong(`${positions.length + 1} logprobs for a prompt of ${prompt.length} tokens`);
  }
  return positions.map((entry, i) => {
    const logprob = entry?.[String(prompt[i + 1])]?.logprob;
    if (logprob === null) throw notNumbers(model, 'its prompt');
    if (logprob === undefined) throw wrong(`no logprob for token ${prompt[i + 1]} of the prompt`);
    return logprob;
  });
}

/** @throws InferenceError `garbled` for what is no JSON, `refused` for JSON of another shape */
export function parseAnswer<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const cut = text.trimStart().startsWith('{') ? 'an answer that is cut off' : 'no JSON';
    throw new InferenceError('garbled', `the inference server answered ${cut}: ${shownText(text)}`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue!.path.length === 0 ? 'it' : issue!.path.join('.');
  throw wrong(`${field}: ${issue!.message}`);
}

function wrong(what: string): InferenceError {
  return new InferenceError('refused', `the inference server's answer is not as vLLM's: ${what}`);
}

function notNumbers(model: string, of: string): InferenceError {
  return new InferenceError('not_numbers', `the logprobs of ${of} by ${model} are no numbers`);
}

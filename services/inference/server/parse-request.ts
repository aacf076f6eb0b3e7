import type { z } from 'zod';
import { badRequest, malformed } from './api-error.ts';

/** @throws ApiError 400 naming the first field that does not fit. */
export function parseRequest<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue!.path.map(String).join('.');
  const param = issue!.path.length > 0 ? String(issue!.path[0]) : null;
  throw malformed(where === '' ? issue!.message : `${where}: ${issue!.message}`, param);
}

/** Values with which a parameter has no effect, besides null and absence. */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  best_of: [1],
  echo: [false],
  suffix: [''],
  presence_penalty: [0],
  frequency_penalty: [0],
  repetition_penalty: [1],
  length_penalty: [1],
  logit_bias: [],
  use_beam_search: [false],
  allowed_token_ids: [],
  bad_words: [],
  logprob_token_ids: [],
  prompt_embeds: [],
  truncate_prompt_tokens: [],
  response_format: [],
  structured_outputs: [],
  guided_json: [],
  guided_regex: [],
  guided_choice: [],
  guided_grammar: [],
  logits_processors: [],
  tools: [],
  tool_choice: ['none', 'auto'],
  continue_final_message: [false],
  documents: [],
};

/**
 * Refuses parameters of vLLM that would change the result and that this server does not have: ignoring them would give other
 * completions than were asked for. Unknown fields are ignored, as vLLM does.
 * @throws ApiError 400
 */
export function refuseUnsupported(body: Readonly<Record<string, unknown>>): void {
  for (const [name, neutral] of Object.entries(NEUTRAL)) {
    const value = body[name] ?? null;
    if (value === null || neutral.includes(value) || isEmpty(value)) continue;
    throw badRequest(`'${name}' is not supported by this server: leave it out, or use vLLM`, name);
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

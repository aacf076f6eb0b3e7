import type { ApiRequest, Reply, Route } from '../../../services/inference/server/route.ts';

type Json = Record<string, unknown>;

/**
 * What vLLM says without `--logprobs-mode processed_logprobs`: logprobs before the temperature. The embedded server gives those of a prompt, so each completion is
 * read once more as one.
 */
export async function withRawLogprobs(completions: Route, request: ApiRequest, reply: Reply): Promise<Reply> {
  const asked = request.body as Json;
  if (reply.kind !== 'json' || asked['logprobs'] == null || (asked['temperature'] ?? 1) === 1) return reply;
  const body = reply.body as Json & { choices: (Json & { logprobs: Json })[] };
  const choices = [];
  for (const choice of body.choices) {
    const [prompt, tokens] = [choice['prompt_token_ids'] as number[], choice['token_ids'] as number[]];
    const again = { model: asked['model'], prompt: [[...prompt, ...tokens]], max_tokens: 1, prompt_logprobs: 0 };
    const read = await completions.handle({ ...request, body: again });
    const [{ prompt_logprobs: found }] = (read as { body: { choices: [Json] } }).body.choices;
    const raw = (found as (Record<string, { logprob: number }> | null)[]).slice(-tokens.length);
    const values = raw.map((entry, i) => entry?.[String(tokens[i])]?.logprob ?? -9999);
    choices.push({ ...choice, logprobs: { ...choice.logprobs, token_logprobs: values } });
  }
  return { kind: 'json', body: { ...body, choices } };
}

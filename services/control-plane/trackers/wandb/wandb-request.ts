import { lookupAllowed } from '../../../platform/address-policy.ts';
import { answerOf, openRequest } from '../../../platform/transfer/exchange.ts';
import { judgeAnswer, unreachable, WandbError } from './wandb-error.ts';
import type { WandbSettings } from './wandb-settings.ts';

/** A request and its answer take no longer. */
const TOTAL_MS = 120_000;
const MAX_ANSWER_BYTES = 32 * 2 ** 20;
const MAX_SAID = 300;

/**
 * Posts JSON to W&B and gives its JSON answer. `what` is what the request does, for messages.
 * @throws WandbError; what `signal` was aborted with
 */
export async function postJson(
  path: string,
  body: unknown,
  {
    settings,
    what,
    signal,
    now,
    idleMs,
  }: { settings: WandbSettings; what: string; signal: AbortSignal; now: () => number; idleMs: number },
): Promise<unknown> {
  const { baseUrl, apiKey } = settings;
  if (apiKey === null) {
    throw new WandbError('key', 'WANDB_API_KEY is not set; set it in .env and start the control plane again');
  }
  const bytes = Buffer.from(JSON.stringify(body));
  const until = AbortSignal.any([signal, AbortSignal.timeout(TOTAL_MS)]);
  try {
    const request = openRequest(`${baseUrl}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`api:${apiKey}`).toString('base64')}`,
        'content-type': 'application/json',
        'content-length': bytes.length,
        'user-agent': 'tandem',
      },
      signal: until,
      idleMs,
      lookup: lookupAllowed,
    });
    request.end(bytes);
    const response = await answerOf(request);
    let text = '';
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > MAX_ANSWER_BYTES) throw new Error(`its answer is longer than ${MAX_ANSWER_BYTES} characters`);
    }
    const { statusCode: status = 0, headers } = response;
    const answer = parse(text);
    if (status < 200 || status > 299) {
      throw judgeAnswer({ status, headers, said: saidIn(answer, apiKey) }, { baseUrl, what, now: now() });
    }
    const said = graphqlError(answer);
    if (said !== null) {
      const hidden = hide(said, apiKey);
      throw new WandbError(
        'refused',
        `${baseUrl} refused to ${what}: ${hidden}; look at the project, the entity and the run there`,
      );
    }
    if (answer === undefined) throw new Error('its answer is no JSON; look whether WANDB_BASE_URL is a W&B server');
    return answer;
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof WandbError ? error : unreachable(baseUrl, error);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function saidIn(answer: unknown, apiKey: string): string {
  const { error, message } = (answer ?? {}) as { error?: unknown; message?: unknown };
  const said = graphqlError(answer) ?? (typeof error === 'string' ? error : typeof message === 'string' ? message : '');
  return hide(said, apiKey);
}

/** GraphQL answers 200 to what it refuses. */
function graphqlError(answer: unknown): string | null {
  const { errors } = (answer ?? {}) as { errors?: { message?: unknown }[] };
  if (!Array.isArray(errors) || errors.length === 0) return null;
  return errors.map(({ message }) => String(message)).join('; ');
}

/** A proxy may repeat what it was sent. */
function hide(text: string, apiKey: string): string {
  return text.replaceAll(apiKey, '[redacted]').slice(0, MAX_SAID);
}

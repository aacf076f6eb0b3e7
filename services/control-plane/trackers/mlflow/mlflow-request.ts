import { lookupAllowed } from '../../../platform/address-policy.ts';
import { answerOf, openRequest } from '../../../platform/transfer/exchange.ts';
import { judgeAnswer, MlflowError, unreachable } from './mlflow-error.ts';

const MAX_ANSWER_BYTES = 16 * 2 ** 20;
const MAX_SAID = 300;

/** A server, and what authorizes there. */
export interface MlflowServer {
  /** Without a slash at its end. */
  uri: string;
  authorization: string | null;
  /** A request fails when nothing moves for so long, in milliseconds, and after four times as long in all. */
  idleMs: number;
}

/**
 * One request, whose answer is JSON. `what` is what it does, for messages.
 * @throws MlflowError; what `signal` was aborted with
 */
export async function askMlflow(
  { uri, authorization, idleMs }: MlflowServer,
  request: { method: 'GET' | 'POST' | 'PUT'; path: string; body?: unknown; what: string; signal: AbortSignal },
): Promise<unknown> {
  const { method, path, body, what, signal } = request;
  const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body));
  try {
    const sent = openRequest(`${uri}${path}`, {
      method,
      headers: {
        'user-agent': 'tandem',
        ...(bytes !== null && { 'content-type': 'application/json', 'content-length': bytes.length }),
        ...(authorization !== null && { authorization }),
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(4 * idleMs)]),
      idleMs,
      lookup: lookupAllowed,
    });
    sent.end(bytes ?? undefined);
    const response = await answerOf(sent);
    let text = '';
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > MAX_ANSWER_BYTES) throw new Error(`its answer is longer than ${MAX_ANSWER_BYTES} characters`);
    }
    const { statusCode: status = 0, headers } = response;
    const answer = parse(text);
    if (status >= 200 && status <= 299) {
      if (answer === undefined) throw new Error('its answer is no JSON; look whether it is an MLflow server');
      return answer;
    }
    const { error_code, message } = (answer ?? {}) as { error_code?: unknown; message?: unknown };
    const said = typeof message === 'string' ? withoutSecret(message, authorization).slice(0, MAX_SAID) : '';
    const code = typeof error_code === 'string' ? error_code : null;
    throw judgeAnswer({ uri, status, what, code, said, retryAfter: headers['retry-after'] });
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof MlflowError ? error : unreachable(uri, error);
  }
}

function parse(text: string): unknown {
  try {
    return text === '' ? {} : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

/** A proxy may repeat what it was sent. */
function withoutSecret(text: string, authorization: string | null): string {
  return authorization === null ? text : text.replaceAll(authorization.replace(/^\w+ /, ''), '[redacted]');
}

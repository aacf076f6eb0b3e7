import { lookupAllowed } from '../../platform/address-policy.ts';
import { answerOf, openRequest } from '../../platform/transfer/exchange.ts';
import { judgeAnswer, TrackerError, type TrackerWords, unreachable } from './tracker-error.ts';

const MAX_SAID = 300;

/** A server, what authorizes there, and how its tracker reads and speaks of it. */
export interface TrackerServer {
  /** Without a slash at its end. */
  url: string;
  /** Value of the Authorization header. */
  authorization: string | null;
  /** What no message may repeat. */
  secret: string | null;
  /** A request fails when nothing moves for so long, in milliseconds, and after four times as long in all. */
  idleMs: number;
  /** Characters of an answer. */
  maxAnswer: number;
  /** What an answer without a body stands for; undefined: it is no JSON. */
  empty: unknown;
  /** What an answer says went wrong, and the server's word for it. */
  saidIn: (answer: unknown) => { said: string; code: string | null };
  words: TrackerWords;
  /** Milliseconds since 1970. */
  now: () => number;
}

export interface TrackerRequest {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  body?: unknown;
  /** What it does, for messages. */
  what: string;
  signal: AbortSignal;
}

/**
 * One request, whose answer is JSON.
 * @throws TrackerError; what `signal` was aborted with
 */
export async function askTracker(server: TrackerServer, request: TrackerRequest): Promise<unknown> {
  const { url, secret, words } = server;
  const { what, signal } = request;
  try {
    const { status, retryAfter, text } = await exchange(server, request);
    const answer = text === '' ? server.empty : parse(text);
    if (status < 200 || status > 299) {
      const { said, code } = server.saidIn(answer);
      const hidden = sayable(said, secret);
      throw judgeAnswer({ url, status, what, said: hidden, code, retryAfter }, words, server.now());
    }
    if (answer === undefined) throw new Error(`its answer is no JSON; ${words.notJson}`);
    return answer;
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof TrackerError ? error : unreachable(url, words, error);
  }
}

/** What a server said, for a message: a proxy may repeat what it was sent. */
export function sayable(said: string, secret: string | null): string {
  return (secret === null ? said : said.replaceAll(secret, '[redacted]')).slice(0, MAX_SAID);
}

async function exchange(
  { url, authorization, idleMs, maxAnswer }: TrackerServer,
  { method, path, body, signal }: TrackerRequest,
): Promise<{ status: number; retryAfter: string | undefined; text: string }> {
  const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body));
  const sent = openRequest(`${url}${path}`, {
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
    if (text.length > maxAnswer) throw new Error(`its answer is longer than ${maxAnswer} characters`);
  }
  return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], text };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

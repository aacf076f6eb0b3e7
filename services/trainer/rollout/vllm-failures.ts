import { AddressRefusedError } from '../../platform/address-policy.ts';
import { retryAfterMs } from '../../platform/retry.ts';
import { type HttpReply, ReplyTooLong } from './http-call.ts';
import { InferenceError } from './inference-error.ts';

/** No server is waited for longer than this at a time, whatever it asks for, in milliseconds. */
const LONGEST_WAIT_MS = 60_000;
/** How our own server, and the JSON encoder of vLLM, refuse to answer NaN. */
const NOT_NUMBERS = /logprobs are no numbers|not JSON compliant/i;

/** Why there was no answer. @param error what `httpCall` threw; the signal's own reason is not for here */
export function explainNoAnswer(url: string, error: unknown, timeoutMs: number): InferenceError {
  const options = { cause: error };
  if (error instanceof ReplyTooLong) {
    const most = `${Math.ceil(error.limit / 2 ** 20)} MiB`;
    return new InferenceError('garbled', `${url} answers more than ${most}, which no answer to it can have`, options);
  }
  if (error instanceof AddressRefusedError) return new InferenceError('refused', error.message, options);
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new InferenceError('timeout', `${url} did not answer within ${timeoutMs / 1000} s`, options);
  }
  const { code } = error as NodeJS.ErrnoException;
  return new InferenceError('unreachable', `${url} cannot be reached${code ? ` (${code})` : ''}`, options);
}

/** What an answer other than 200 means. @param path as it was asked for, without the query's values */
export function explainStatus(path: string, { status, text, retryAfter }: HttpReply): InferenceError {
  const message = `the inference server answered ${status} to ${path}: ${shownText(text)}`;
  const waitMs = retryAfterMs(retryAfter, LONGEST_WAIT_MS);
  if (status === 429 || (status === 503 && waitMs !== null)) {
    return new InferenceError('busy', message, { retryAfterMs: waitMs });
  }
  if (status === 404 && path === 'v1/completions' && !isPage(text)) return new InferenceError('unknown_model', message);
  if (NOT_NUMBERS.test(text)) return new InferenceError('not_numbers', message);
  return new InferenceError(status >= 500 || status === 408 ? 'unreachable' : 'refused', message);
}

const SHOWN = 300;

/** The beginning of what was answered; of a page of HTML its title, as the rest tells nobody anything. */
export function shownText(text: string): string {
  if (!isPage(text)) return text.slice(0, SHOWN);
  const title = /<title[^>]*>([^<]{0,100})/i.exec(text.slice(0, 4096))?.[1]?.trim();
  return `a page of HTML${title ? ` (${title})` : ''}, as a proxy makes it, not vLLM`;
}

function isPage(text: string): boolean {
  return /^\s*<(!doctype|html|head|body|center|h1)\b/i.test(text.slice(0, 200));
}

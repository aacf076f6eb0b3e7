import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { RewardSpec } from '../../../contracts/run-spec/reward.ts';
import { AddressRefusedError, refuseUrl } from '../../../platform/address-policy.ts';
import { backoffMs, retryAfterMs } from '../../../platform/retry.ts';
import { type HttpReply, httpCall, ReplyTooLong } from '../http-call.ts';
import { explainSilence, explainStatus, explainText } from './http-failures.ts';
import { type Scorer, ScoringError } from './scorer.ts';
import { scoringRequest } from './scoring-request.ts';

type HttpSpec = Extract<RewardSpec, { name: 'http' }>;

/** Before it is asked again: twice as long each time, up to the longest, which also bounds what a server may ask for. */
const WAITS = { baseMs: 500, maxMs: 60_000 } as const;
/** The server has no time now, or has not got the whole request in time. */
const ASK_AGAIN: readonly number[] = [408, 429];
/** A hundred thousand scores and much beside them. */
const LONGEST_REPLY = 16 << 20;
const reply = z.looseObject({ scores: z.array(z.unknown()) });

/** What a server said, or why it is worth while to ask again. */
type Asked = { readonly answer: HttpReply } | { readonly again: ScoringError; readonly waitMs: number };

/**
 * Asks a server. A broken connection, a timeout, a 5xx, 408 and 429 are tried again, not before its `Retry-After`; any other answer is what the server means. Redirects
 * are not followed: they would lead past the address policy, which holds for the URL and for every connection.
 */
export function createHttpReward(
  { url: text, timeout, retries }: Pick<HttpSpec, 'url' | 'timeout' | 'retries'>,
  label: string,
  waits: { readonly baseMs: number; readonly maxMs: number } = WAITS,
): Scorer {
  const refusal = refuseUrl(text);
  const url = new URL(text);

  /** @throws ScoringError when asking again would not help */
  async function ask(body: unknown, signal: AbortSignal): Promise<Asked> {
    try {
      const answer = await httpCall({ url, body, timeoutMs: timeout * 1000, maxBytes: LONGEST_REPLY, signal });
      const { status, text: said, retryAfter } = answer;
      if (status < 500 && !ASK_AGAIN.includes(status)) return { answer };
      return { again: explainStatus(status, said), waitMs: retryAfterMs(retryAfter, waits.maxMs) ?? 0 };
    } catch (error) {
      signal.throwIfAborted();
      const why = explainSilence(error, timeout);
      if (error instanceof ReplyTooLong || error instanceof AddressRefusedError) throw why;
      return { again: why, waitMs: 0 };
    }
  }

  return {
    label,
    async score(task, completions, signal) {
      if (refusal !== null) throw new ScoringError(refusal, 'Correct reward.url.');
      const body = scoringRequest(task, completions);
      let asked = await ask(body, signal);
      let tries = 1;
      for (; 'again' in asked && tries <= retries; tries++) {
        // Of an abort it would tell itself, not for what.
        const wait = Math.max(asked.waitMs, backoffMs({ failures: tries, ...waits }));
        await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
        asked = await ask(body, signal);
      }
      if ('again' in asked) throw tries === 1 ? asked.again : askedOften(asked.again, tries);
      const { status, text: said } = asked.answer;
      if (status !== 200) throw explainStatus(status, said);
      return scoresOf(said);
    },
    close: async () => {},
  };
}

function askedOften({ message, remedy }: ScoringError, tries: number): ScoringError {
  return new ScoringError(`${message} (asked ${tries} times)`, remedy);
}

function scoresOf(text: string): readonly unknown[] {
  const document = parseJson(text);
  const parsed = reply.safeParse(document);
  if (parsed.success) return parsed.data.scores;
  throw explainText(text, document !== undefined);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

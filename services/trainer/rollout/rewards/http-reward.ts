import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { RewardSpec } from '../../../contracts/run-spec/reward.ts';
import { refuseUrl } from '../../../platform/address-policy.ts';
import { type HttpReply, httpCall, ReplyTooLong } from '../http-call.ts';
import { type Scorer, ScoringError } from './scorer.ts';
import { scoringRequest } from './scoring-request.ts';

type HttpSpec = Extract<RewardSpec, { name: 'http' }>;

const FIRST_WAIT_MS = 500;
/** A hundred thousand scores and much beside them. */
const LONGEST_REPLY = 16 << 20;
const reply = z.looseObject({ scores: z.array(z.unknown()) });

/**
 * Asks a server. A broken connection, a timeout and a 5xx are tried again; any other answer is what the server means. Redirects are not followed: they would lead
 * past the address policy, which holds for the URL and for every connection.
 */
export function createHttpReward(
  { url: text, timeout, retries }: Pick<HttpSpec, 'url' | 'timeout' | 'retries'>,
  label: string,
  firstWaitMs = FIRST_WAIT_MS,
): Scorer {
  const refusal = refuseUrl(text);
  const url = new URL(text);

  async function ask(body: unknown, signal: AbortSignal): Promise<HttpReply | ScoringError> {
    try {
      const answer = await httpCall({ url, body, timeoutMs: timeout * 1000, maxBytes: LONGEST_REPLY, signal });
      return answer.status < 500 ? answer : problem(`answers ${answer.status}: ${answer.text.slice(0, 200)}`);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ReplyTooLong) throw problem(`answers more than ${LONGEST_REPLY >> 20} MiB`);
      return problem(`cannot be asked: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  const problem = (what: string) =>
    new ScoringError(
      `${url.origin}${url.pathname} ${what}`,
      'Look whether the server runs there, and what its log says.',
    );

  return {
    label,
    async score(task, completions, signal) {
      if (refusal !== null) throw new ScoringError(`${text} ${refusal}`, 'Change reward.url.');
      const body = scoringRequest(task, completions);
      let answer = await ask(body, signal);
      for (let tried = 0; answer instanceof ScoringError && tried < retries; tried++) {
        // Of an abort it would tell itself, not for what.
        await sleep(firstWaitMs * 2 ** tried, undefined, { signal }).catch(() => signal.throwIfAborted());
        answer = await ask(body, signal);
      }
      if (answer instanceof ScoringError) throw answer;
      if (answer.status >= 300 && answer.status < 400)
        throw problem('redirects, which is not followed; name the address itself');
      if (answer.status !== 200) throw problem(`answers ${answer.status}: ${answer.text.slice(0, 200)}`);
      return scoresOf(answer.text, problem);
    },
    close: async () => {},
  };
}

function scoresOf(text: string, problem: (what: string) => ScoringError): readonly unknown[] {
  const parsed = reply.safeParse(parseJson(text));
  if (parsed.success) return parsed.data.scores;
  throw problem(`answers ${JSON.stringify(text.slice(0, 200))}, not {"scores": [...]}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

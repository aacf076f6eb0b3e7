import { InferenceError } from './inference-error.ts';
import type { ServerProgress } from './vllm-metrics.ts';

/** Tells a server that is slow from one that is stuck, by what it says of its own work while requests wait for it. */
export interface StallWatch {
  /**
   * Does `work`, a request for at most `tokens` tokens, under watch.
   * @param work is given milliseconds that do not count for its time limit: those in which the server got on; and a signal that is aborted with
   * `signal`, or once the server has nothing to do although it owes the answer
   * @throws what `work` throws; of its `timeout` it makes `stuck` where the server says so
   */
  watch<T>(
    tokens: number,
    signal: AbortSignal,
    work: (signal: AbortSignal, movingMs: () => number) => Promise<T>,
  ): Promise<T>;
}

/** Of one request: however much the server does for others, it is not waited for longer than this many time limits. */
const MOST_LIMITS = 10;
/** Looks at the server, of each time limit; and no two of them further apart than this. */
const LOOKS = 8;
const LONGEST_BETWEEN_MS = 5000;
/** Looks in a row at which the server has no work although it owes an answer: it has lost the request. */
const IDLE_LOOKS = 3;

interface Waiting {
  readonly sinceMs: number;
  readonly tokens: number;
  readonly lost: AbortController;
  idleLooks: number;
}

/**
 * @param timeoutMs without an answer and without a sign of work
 * @param look asks the server; null where it cannot say: then there is the time limit alone
 * @param now milliseconds that only count on
 * @param onSlow told once, until all requests have been answered
 */
export function createStallWatch(params: {
  readonly timeoutMs: number;
  readonly look: (signal: AbortSignal) => Promise<ServerProgress | null>;
  readonly now: () => number;
  readonly onSlow: (message: string) => void;
}): StallWatch {
  const { timeoutMs, look, now, onSlow } = params;
  const everyMs = Math.min(LONGEST_BETWEEN_MS, timeoutMs / LOOKS);
  const waiting = new Set<Waiting>();
  let ended = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let movingMs = 0;
  /** What was seen last: null before the first look, and where the server did not say it. */
  let seen: { readonly at: number; readonly progress: ServerProgress } | null = null;
  let movedAt = Number.NEGATIVE_INFINITY;
  let told = false;

  function lookLater(signal: AbortSignal): void {
    timer = setTimeout(async () => {
      const progress = await look(signal).catch(() => null);
      if (signal.aborted) return;
      judge(progress);
      lookLater(signal);
    }, everyMs);
  }

  function judge(progress: ServerProgress | null): void {
    const before = seen;
    const at = now();
    seen = progress && { at, progress };
    if (before === null || progress === null) return;
    const moved = progress.work !== before.progress.work;
    if (moved) {
      movingMs += at - before.at;
      movedAt = at;
    }
    const idle = !moved && progress.running + progress.waiting === 0;
    for (const request of waiting) {
      if (request.sinceMs > before.at) continue;
      request.idleLooks = idle ? request.idleLooks + 1 : 0;
      if (request.idleLooks >= IDLE_LOOKS) request.lost.abort(lostRequest(at - request.sinceMs));
    }
    if (moved) tellSlow(at, (progress.generated - before.progress.generated) / ((at - before.at) / 1000));
  }

  /** @param rate tokens drawn in a second */
  function tellSlow(at: number, rate: number): void {
    const oldest = [...waiting].reduce((most, { sinceMs }) => Math.max(most, at - sinceMs), 0);
    if (told || oldest < timeoutMs) return;
    told = true;
    const tokens = [...waiting].reduce((sum, request) => sum + request.tokens, 0);
    const eta = rate > 0 ? `, ${rate.toFixed(1)} tokens/s, at most ${Math.ceil(tokens / rate)} s to go` : '';
    onSlow(
      `The inference server is slow, not stuck: ${waiting.size} requests under way, the oldest for ${Math.round(oldest / 1000)} s${eta}. ` +
        `Each is waited for for at most ${(MOST_LIMITS * timeoutMs) / 1000} s, ${MOST_LIMITS} times inference.vllm.timeout: ` +
        'raise that if they take longer, or lower rollout.concurrency or rollout.max_new_tokens.',
    );
  }

  function enter(request: Waiting): void {
    waiting.add(request);
    if (waiting.size > 1) return;
    seen = null;
    told = false;
    ended = new AbortController();
    lookLater(ended.signal);
  }

  function leave(request: Waiting): void {
    waiting.delete(request);
    if (waiting.size > 0) return;
    clearTimeout(timer);
    ended.abort();
  }

  /** What a request whose time is up has met. */
  function explain(error: unknown): unknown {
    if (!(error instanceof InferenceError) || error.kind !== 'timeout' || seen === null) return error;
    // It got on a moment ago, if not with this one.
    if (now() - movedAt < timeoutMs / 2) return error;
    const { running, waiting: queued } = seen.progress;
    const message = `the inference server is stuck: it answers, but has ${running} requests running and ${queued} waiting, and none got on for ${timeoutMs / 1000} s`;
    return new InferenceError('stuck', message, { cause: error });
  }

  return {
    async watch(tokens, signal, work) {
      const request: Waiting = { sinceMs: now(), tokens, lost: new AbortController(), idleLooks: 0 };
      const onAbort = () => request.lost.abort(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      const before = movingMs;
      enter(request);
      try {
        return await work(request.lost.signal, () => Math.min(movingMs - before, (MOST_LIMITS - 1) * timeoutMs));
      } catch (error) {
        throw explain(error);
      } finally {
        signal.removeEventListener('abort', onAbort);
        leave(request);
      }
    },
  };
}

function lostRequest(ms: number): InferenceError {
  return new InferenceError(
    'unreachable',
    `the inference server has no work and gave no answer for ${Math.round(ms / 1000)} s: the request was lost`,
  );
}

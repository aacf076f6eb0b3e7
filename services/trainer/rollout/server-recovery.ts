import { backoffMs, pause } from '../../platform/retry.ts';
import { InferenceError, type InferenceErrorKind } from './inference-error.ts';
import { inferenceFailed } from './inference-failure.ts';
import { createSharedWork } from './shared-work.ts';
import type { VllmClient } from './vllm-client.ts';

/** What happens between a call that failed and the next try of it. All calls in flight meet the same trouble: it is handled once. */
export interface ServerRecovery {
  /**
   * Returns when the call may be tried again: the server answers, wherever it is by now, and has what it needs.
   * @param call what failed, when that try was begun, in `performance.now()`, and how many have failed so far
   * @throws TrainerError when it does not come back in time
   */
  recover(error: InferenceError, call: FailedCall, signal: AbortSignal): Promise<void>;
  /** Tells that a call succeeded: the server is not too busy for such. */
  succeeded(kind: CallKind): void;
  /** Calls that had to be tried again so far, by what went wrong. */
  retries(): Retries;
  /** Milliseconds, in all, for which it was gone and was waited for. */
  lostMs(): number;
  /** Whether it is gone now. */
  isLost(): boolean;
}

/** What a server, or a proxy before it, can be too busy for while it does the other. */
export type CallKind = 'completion' | 'other call';

/** How often, by what went wrong. */
export type Retries = ReadonlyMap<InferenceErrorKind, number>;

export interface FailedCall {
  readonly kind: CallKind;
  readonly begunAt: number;
  readonly failures: number;
}

const HEALTH_EVERY_MS = 200;
/** Before the second try of a call that fails at once, and the longest wait, in milliseconds. */
const RETRY_MS = { baseMs: 200, maxMs: 5000 };
/** Where a busy server does not say when to come back. */
const BUSY_MS = { baseMs: 1000, maxMs: 30_000 };

/**
 * @param restore gives a server that may have been restarted back what it needs
 * @param patienceSeconds how long a server may take to come back, and may be too busy for any call of a kind
 */
export function createServerRecovery(params: {
  readonly client: VllmClient;
  readonly relocate: (signal: AbortSignal) => Promise<void>;
  readonly restore: (signal: AbortSignal) => Promise<void>;
  readonly onRecovery: (message: string) => void;
  readonly patienceSeconds: number;
  readonly wait?: typeof pause;
}): ServerRecovery {
  const { client, relocate, restore, onRecovery, patienceSeconds, wait = pause } = params;
  const recovering = createSharedWork();
  const pausing = createSharedWork();
  const retries = new Map<InferenceErrorKind, number>();
  let recoveredAt = Number.NEGATIVE_INFINITY;
  let lostMs = 0;
  let lostSince: number | null = null;
  /** Since when it has been too busy, in `performance.now()`, and how often it has said so. */
  const busy = new Map<CallKind, { readonly since: number; times: number }>();

  const retriesInAll = () => [...retries.values()].reduce((sum, count) => sum + count, 0);

  async function comeBack(error: InferenceError, failures: number, signal: AbortSignal): Promise<void> {
    onRecovery(`The inference server has to be found again (retry ${retriesInAll()}): ${error.message}`);
    const since = performance.now();
    lostSince = since;
    try {
      await untilHealthy(error, since + patienceSeconds * 1000, signal);
    } finally {
      lostMs += performance.now() - since;
      // Unless everybody gave this up, and it has been begun anew.
      if (lostSince === since) lostSince = null;
    }
    await restore(signal);
    recoveredAt = performance.now();
    await wait(backoffMs({ ...RETRY_MS, failures: failures - 1 }), signal);
  }

  async function untilHealthy(error: InferenceError, until: number, signal: AbortSignal): Promise<void> {
    // A server that was only out of reach for a moment is where it was, even while the control plane is away.
    while (!(await client.healthy(signal))) {
      if (performance.now() > until)
        throw inferenceFailed(gaveUp(error, `it did not come back within ${patienceSeconds} s`));
      await relocate(signal);
      await wait(HEALTH_EVERY_MS, signal);
      signal.throwIfAborted();
    }
  }

  async function waitOut(error: InferenceError, kind: CallKind, signal: AbortSignal): Promise<void> {
    const met = busy.get(kind) ?? { since: performance.now(), times: 0 };
    busy.set(kind, met);
    if (performance.now() - met.since > patienceSeconds * 1000) {
      throw inferenceFailed(gaveUp(error, `it has been too busy for any ${kind} for ${patienceSeconds} s`));
    }
    met.times += 1;
    const ms = error.retryAfterMs ?? backoffMs({ ...BUSY_MS, failures: met.times });
    onRecovery(
      `The inference server is busy and is asked again in ${ms / 1000} s (retry ${retriesInAll()}): ${error.message}`,
    );
    await wait(ms, signal);
  }

  return {
    async recover(error, { kind, begunAt, failures }, signal) {
      retries.set(error.kind, (retries.get(error.kind) ?? 0) + 1);
      if (error.kind === 'busy') return pausing.join(signal, (until) => waitOut(error, kind, until));
      // What has been back since has met the same trouble before.
      if (recoveredAt > begunAt) return;
      await recovering.join(signal, (until) => comeBack(error, failures, until));
    },
    succeeded: (kind) => void busy.delete(kind),
    retries: () => new Map(retries),
    isLost: () => lostSince !== null,
    lostMs: () => lostMs + (lostSince === null ? 0 : performance.now() - lostSince),
  };
}

function gaveUp(error: InferenceError, how: string): InferenceError {
  return new InferenceError(error.kind, `${error.message}; ${how}`, { cause: error });
}

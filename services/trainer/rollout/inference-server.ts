import { setTimeout as sleep } from 'node:timers/promises';
import { remedies } from '../../contracts/reason.ts';
import { diverged } from '../diverged.ts';
import { TrainerError } from '../failure.ts';
import {
  type Completion,
  type CompletionRequest,
  InferenceError,
  type PublishedPolicy,
  type VllmClient,
} from './vllm-client.ts';

/** The inference server as training sees it: it may be restarted at any time, maybe somewhere else. */
export interface InferenceServer {
  /** Completions of the policy that is routed to when the server is asked, also if another is routed to before they are done. */
  complete(request: Omit<CompletionRequest, 'model'>, signal: AbortSignal): Promise<Completed>;
  /** Makes the call, and again after the server was restarted. */
  call<T>(use: (client: VllmClient) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** From now on completions come from this policy. `verify` throws unless a server that was restarted computes it; null where that cannot be told. */
  route(policy: PublishedPolicy, verify: Verify | null): void;
  /** Waits until no completion of this policy is under way. */
  drained(policy: PublishedPolicy, signal: AbortSignal): Promise<void>;
  /** Milliseconds, in all, for which it was gone and was waited for. */
  lostMs(): number;
}

export interface Completed {
  readonly completions: readonly Completion[];
  /** Which policy made all of them. */
  readonly policy: PublishedPolicy;
}

/** Throws unless the server computes the policy that is routed to. */
export type Verify = (client: VllmClient, signal: AbortSignal) => Promise<void>;

const MAX_FAILURES = 5;
const DRAIN_EVERY_MS = 20;
const HEALTH_EVERY_MS = 200;

/**
 * @param relocate asks the control plane again where the server is
 * @param patienceSeconds how long a server may take to come back
 */
export function createInferenceServer(params: {
  readonly client: VllmClient;
  readonly relocate: (signal: AbortSignal) => Promise<void>;
  readonly onRecovery: (message: string) => void;
  readonly patienceSeconds: number;
}): InferenceServer {
  const { client, relocate, onRecovery, patienceSeconds } = params;
  let routed: PublishedPolicy | null = null;
  let verifyRouted: Verify | null = null;
  /** Completions under way, by policy. */
  const underWay = new Map<string, number>();
  let recovering: Promise<void> | null = null;
  let lostMs = 0;
  let lostSince: number | null = null;

  async function call<T>(use: (client: VllmClient) => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await use(client);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof InferenceError)) throw error;
        if (isLasting(error) || failures >= MAX_FAILURES) throw failed(error);
        await recover(error, signal);
      }
    }
  }

  /** All tasks in flight meet the same restart: it is handled once. */
  function recover(error: InferenceError, signal: AbortSignal): Promise<void> {
    recovering ??= comeBack(error, signal).finally(() => {
      recovering = null;
    });
    return recovering;
  }

  async function comeBack(error: InferenceError, signal: AbortSignal): Promise<void> {
    onRecovery(`The inference server has to be found again: ${error.message}`);
    lostSince = performance.now();
    try {
      await untilHealthy(error, lostSince + patienceSeconds * 1000, signal);
    } finally {
      lostMs += performance.now() - lostSince;
      lostSince = null;
    }
    if (routed) await loadAgain(routed, signal);
  }

  async function untilHealthy(error: InferenceError, until: number, signal: AbortSignal): Promise<void> {
    // A server that was only out of reach for a moment is where it was, even while the control plane is away.
    while (!(await client.healthy(signal))) {
      if (performance.now() > until) throw failed(error);
      await relocate(signal);
      await sleep(HEALTH_EVERY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  /** A server that was not restarted still has the policy, and says so. */
  async function loadAgain(policy: PublishedPolicy, signal: AbortSignal): Promise<void> {
    try {
      await loadIfAbsent(client, policy, signal);
      await verifyRouted?.(client, signal);
    } catch (error) {
      if (!(error instanceof InferenceError)) throw error;
      if (isLasting(error)) throw failed(error);
    }
  }

  function count(name: string, change: 1 | -1): void {
    const now = (underWay.get(name) ?? 0) + change;
    if (now > 0) underWay.set(name, now);
    else underWay.delete(name);
  }

  return {
    call,
    complete(request, signal) {
      return call(async (to) => {
        if (routed === null) throw new Error('no policy has been published');
        const policy = routed;
        count(policy.name, 1);
        try {
          return { completions: await to.completions({ ...request, model: policy.name }, signal), policy };
        } finally {
          count(policy.name, -1);
        }
      }, signal);
    },
    route(policy, verify) {
      routed = policy;
      verifyRouted = verify;
    },
    lostMs: () => lostMs + (lostSince === null ? 0 : performance.now() - lostSince),
    async drained({ name }, signal) {
      while (underWay.has(name)) await sleep(DRAIN_EVERY_MS, undefined, { signal });
    },
  };
}

/** Loads a policy; a server that has it already says so, and that is as good. */
export async function loadIfAbsent(client: VllmClient, policy: PublishedPolicy, signal: AbortSignal): Promise<void> {
  try {
    await client.load(policy, signal);
  } catch (error) {
    if (!(error instanceof InferenceError) || error.kind !== 'refused' || !/already/i.test(error.message)) throw error;
  }
}

const SAME_PATHS =
  'The server has to find adapters at the path where the trainer writes them: let both see the same directory, under the same name.';

/** Whether the same call would meet it again. */
function isLasting({ kind }: InferenceError): boolean {
  return kind === 'refused' || kind === 'not_numbers';
}

function failed(error: InferenceError): TrainerError {
  const { kind, message } = error;
  if (kind === 'not_numbers') return diverged(message);
  if (kind === 'timeout') {
    return new TrainerError('vllm_unhealthy', `Inference failed: ${message}`, remedies.vllm_unhealthy, {
      cause: error,
    });
  }
  const remedy = /no adapter found|no model found/i.test(message) ? SAME_PATHS : remedies.inference_failed;
  return new TrainerError('inference_failed', `Inference failed: ${message}`, remedy, { cause: error });
}

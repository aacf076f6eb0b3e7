import { setTimeout as sleep } from 'node:timers/promises';
import { remedies } from '../../contracts/reason.ts';
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
  /** Completions of the policy that was routed to last. */
  complete(request: Omit<CompletionRequest, 'model'>, signal: AbortSignal): Promise<Completion[]>;
  /** Makes the call, and again after the server was restarted. */
  call<T>(use: (client: VllmClient) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** From now on completions come from this policy. */
  route(policy: PublishedPolicy): void;
}

const MAX_FAILURES = 5;
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
  let recovering: Promise<void> | null = null;

  async function call<T>(use: (client: VllmClient) => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await use(client);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof InferenceError)) throw error;
        if (error.kind === 'refused' || failures >= MAX_FAILURES) throw failed(error);
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
    const until = performance.now() + patienceSeconds * 1000;
    // A server that was only out of reach for a moment is where it was, even while the control plane is away.
    while (!(await client.healthy(signal))) {
      if (performance.now() > until) throw failed(error);
      await relocate(signal);
      await sleep(HEALTH_EVERY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
    if (routed) await loadAgain(routed, signal);
  }

  /** A server that was not restarted still has the policy, and says so. */
  async function loadAgain(policy: PublishedPolicy, signal: AbortSignal): Promise<void> {
    try {
      await loadIfAbsent(client, policy, signal);
    } catch (error) {
      if (!(error instanceof InferenceError)) throw error;
      if (error.kind === 'refused') throw failed(error);
    }
  }

  return {
    call,
    complete(request, signal) {
      return call((to) => {
        if (routed === null) throw new Error('no policy has been published');
        return to.completions({ ...request, model: routed.name }, signal);
      }, signal);
    },
    route(policy) {
      routed = policy;
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

function failed(error: InferenceError): TrainerError {
  const { kind, message } = error;
  if (kind === 'timeout') {
    return new TrainerError('vllm_unhealthy', `Inference failed: ${message}`, remedies.vllm_unhealthy, {
      cause: error,
    });
  }
  return new TrainerError('inference_failed', `Inference failed: ${message}`, remedies.inference_failed, {
    cause: error,
  });
}

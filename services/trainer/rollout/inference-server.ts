import type { pause } from '../../platform/retry.ts';
import { InferenceError } from './inference-error.ts';
import { createFailures, inferenceFailed, isLasting } from './inference-failure.ts';
import { createRequestGate, type Lane } from './request-gate.ts';
import { createServedPolicies } from './served-policies.ts';
import { type CallKind, createServerRecovery, type Retries } from './server-recovery.ts';
import { createSharedWork } from './shared-work.ts';
import type { Completion, CompletionRequest, PublishedPolicy, VllmClient } from './vllm-client.ts';
import { REQUEST_ID_PREFIX } from './vllm-requests.ts';

/** The inference server as training sees it: it may be restarted at any time, maybe somewhere else. */
export interface InferenceServer {
  /**
   * Completions of the policy that is routed to when the server is asked, also if another is routed to before they are done. However often the server
   * has to be asked, they are of one answer, under one seed.
   */
  complete(request: ServerRequest, signal: AbortSignal): Promise<Completed>;
  /** Does work whose completions all come from the policy that is routed to when it begins, which is served until it is done. */
  episode<T>(work: (episode: Episode) => Promise<T>): Promise<T>;
  /** Makes the call, and again after the server was restarted. */
  call<T>(use: (client: VllmClient) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** From now on completions come from this policy. `verify` throws unless the server computes it; null where that cannot be told. */
  route(policy: PublishedPolicy, verify: Verify | null): void;
  /** Waits until no completion and no episode of this policy is under way. */
  drained(policy: PublishedPolicy, signal: AbortSignal): Promise<void>;
  /** Calls that had to be made again so far, by what went wrong. */
  retries(): Retries;
  /** Milliseconds, in all, for which it was gone and was waited for. */
  lostMs(): number;
  /** Whether it is gone now. */
  isLost(): boolean;
}

export interface ServerRequest extends Omit<CompletionRequest, 'model' | 'id'> {
  /** Whose turn it takes; `rollout` where nothing is said. */
  readonly lane?: Lane;
}

export interface Completed {
  readonly completions: readonly Completion[];
  /** Which policy made all of them. */
  readonly policy: PublishedPolicy;
}

/** The policy that an episode is played with. */
export interface Episode {
  readonly policy: PublishedPolicy;
  complete(request: ServerRequest, signal: AbortSignal): Promise<readonly Completion[]>;
}

/** Throws unless the server computes the policy that is routed to. */
export type Verify = (client: VllmClient, signal: AbortSignal) => Promise<void>;

/** How long a server is believed to compute the policy still, in milliseconds. */
const VERIFY_EVERY_MS = 10 * 60_000;

/**
 * @param relocate asks the control plane again where the server is
 * @param inspect looks at what a server serves, before it is used and whenever it may have been restarted
 * @param patienceSeconds how long a server may take to come back
 * @param sequences at most at the server at a time
 */
export function createInferenceServer(params: {
  readonly client: VllmClient;
  readonly relocate: (signal: AbortSignal) => Promise<void>;
  readonly inspect?: Verify;
  readonly onRecovery: (message: string) => void;
  readonly patienceSeconds: number;
  readonly sequences?: number;
  /** Milliseconds that only count on. */
  readonly now?: () => number;
  readonly wait?: typeof pause;
}): InferenceServer {
  const { client, inspect, sequences = Number.POSITIVE_INFINITY, now = () => performance.now() } = params;
  const policies = createServedPolicies();
  const gate = createRequestGate(sequences);
  const recovery = createServerRecovery({ ...params, restore });
  const inspecting = createSharedWork();
  let inspected = inspect === undefined;
  let routed: { readonly policy: PublishedPolicy; readonly verify: Verify | null } | null = null;
  let verifiedAt = now();
  let requests = 0;

  async function tryOften<T>(kind: CallKind, use: (client: VllmClient) => Promise<T>, signal: AbortSignal): Promise<T> {
    const failures = createFailures();
    for (;;) {
      const begunAt = performance.now();
      try {
        if (!inspected) await inspecting.join(signal, lookAtModels);
        const result = await use(client);
        recovery.succeeded(kind);
        return result;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof InferenceError)) throw error;
        if (!failures.add(error)) throw inferenceFailed(error);
        await recovery.recover(error, { kind, begunAt, failures: failures.total }, signal);
      }
    }
  }

  async function lookAtModels(signal: AbortSignal): Promise<void> {
    await inspect?.(client, signal);
    inspected = true;
  }

  /** A server that was not restarted still has the policies, and says so. What fails now fails again with the call that is tried next. */
  async function restore(signal: AbortSignal): Promise<void> {
    const inUse = policies.inUse();
    const needed = [...new Set(routed === null ? inUse : [routed.policy, ...inUse])];
    try {
      await lookAtModels(signal);
      // Or one of them might be unloaded and removed before its turn, or loaded after that.
      await policies.use(needed, async () => {
        for (const policy of needed) await loadIfAbsent(client, policy, signal);
      });
      await verifyRouted(client, signal);
      verifiedAt = now();
    } catch (error) {
      if (!(error instanceof InferenceError)) throw error;
      if (isLasting(error)) throw inferenceFailed(error);
    }
  }

  /** A server may lose what it serves and not say so; in long phases the first request after a while looks. */
  async function verifyAgain(to: VllmClient, signal: AbortSignal): Promise<void> {
    if (now() - verifiedAt < VERIFY_EVERY_MS) return;
    verifiedAt = now();
    await verifyRouted(to, signal);
  }

  /** The policy is not unloaded meanwhile, also if another is routed to. */
  async function verifyRouted(to: VllmClient, signal: AbortSignal): Promise<void> {
    const { policy, verify = null } = routed ?? {};
    if (policy && verify) await policies.use([policy], () => verify(to, signal));
  }

  function completeBy(choose: () => PublishedPolicy, request: ServerRequest, signal: AbortSignal): Promise<Completed> {
    const { lane = 'rollout', ...asked } = request;
    const number = ++requests;
    let tries = 0;
    return gate.pass(lane, request.n, signal, () =>
      tryOften(
        'completion',
        async (to) => {
          await verifyAgain(to, signal);
          const policy = choose();
          const id = `${REQUEST_ID_PREFIX}${policy.name}-${number}-${++tries}`;
          const completions = await policies.use([policy], () =>
            to.completions({ ...asked, model: policy.name, id }, signal),
          );
          return { completions, policy };
        },
        signal,
      ),
    );
  }

  function newest(): PublishedPolicy {
    if (routed === null) throw new Error('no policy has been published');
    return routed.policy;
  }

  return {
    call: (use, signal) => tryOften('other call', use, signal),
    complete: (request, signal) => completeBy(newest, request, signal),
    async episode(work) {
      const policy = newest();
      const complete: Episode['complete'] = async (request, signal) =>
        (await completeBy(() => policy, request, signal)).completions;
      return policies.use([policy], () => work({ policy, complete }));
    },
    route(policy, verify) {
      routed = { policy, verify };
      verifiedAt = now();
    },
    drained: policies.drained,
    retries: recovery.retries,
    lostMs: recovery.lostMs,
    isLost: recovery.isLost,
  };
}

/** Loads a policy; a server that has it already says so, and that is as good. */
export async function loadIfAbsent(client: VllmClient, policy: PublishedPolicy, signal: AbortSignal): Promise<void> {
  try {
    await client.load(policy, signal);
  } catch (error) {
    if (!(error instanceof InferenceError) || error.kind !== 'refused' || !/already/i.test(error.message)) throw error;
    const { root = null } = (await client.models(signal)).find(({ id }) => id === policy.name) ?? {};
    if (root === null || root === policy.path) return;
    throw new InferenceError('refused', `the server serves ${root} under the name ${policy.name}, not ${policy.path}`);
  }
}

import type { PublishedPolicy } from './vllm-client.ts';

/** Which policies are in use: a server that is started again needs them, and none is unloaded under what comes from it. */
export interface ServedPolicies {
  /** Keeps policies in use until the work is done. */
  use<T>(policies: readonly PublishedPolicy[], work: () => Promise<T>): Promise<T>;
  /** Those in use, the oldest first. */
  inUse(): PublishedPolicy[];
  /** Waits until this one is not in use. @throws the signal's reason */
  drained(policy: PublishedPolicy, signal: AbortSignal): Promise<void>;
}

interface Used {
  readonly policy: PublishedPolicy;
  /** Who wait until nobody uses it. */
  readonly waiting: Set<() => void>;
  count: number;
}

export function createServedPolicies(): ServedPolicies {
  const used = new Map<string, Used>();

  function enter(policy: PublishedPolicy): void {
    const entry = used.get(policy.name) ?? { policy, waiting: new Set(), count: 0 };
    used.set(policy.name, entry);
    entry.count += 1;
  }

  function leave({ name }: PublishedPolicy): void {
    const entry = used.get(name)!;
    entry.count -= 1;
    if (entry.count > 0) return;
    used.delete(name);
    for (const wake of entry.waiting) wake();
  }

  return {
    async use(policies, work) {
      policies.forEach(enter);
      try {
        return await work();
      } finally {
        policies.forEach(leave);
      }
    },
    inUse: () => [...used.values()].map(({ policy }) => policy),
    async drained({ name }, signal) {
      signal.throwIfAborted();
      // Who was woken up may find it in use again.
      for (let entry = used.get(name); entry !== undefined; entry = used.get(name)) await leftBy(entry, signal);
    },
  };
}

function leftBy({ waiting }: Used, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      waiting.delete(wake);
      reject(signal.reason);
    };
    const wake = () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    waiting.add(wake);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

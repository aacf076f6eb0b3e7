import { setTimeout as sleep } from 'node:timers/promises';
import type { PublishedPolicy } from './vllm-client.ts';

/** Which policies are in use: a server that is started again needs them, and none is unloaded under what comes from it. */
export interface ServedPolicies {
  /** Keeps a policy in use until the work is done. */
  use<T>(policy: PublishedPolicy, work: () => Promise<T>): Promise<T>;
  /** Those in use, the oldest first. */
  inUse(): PublishedPolicy[];
  /** Waits until this one is not in use. @throws the signal's reason */
  drained(policy: PublishedPolicy, signal: AbortSignal): Promise<void>;
}

const DRAIN_EVERY_MS = 20;

export function createServedPolicies(): ServedPolicies {
  const users = new Map<string, { readonly policy: PublishedPolicy; count: number }>();

  return {
    async use(policy, work) {
      const used = users.get(policy.name) ?? { policy, count: 0 };
      users.set(policy.name, used);
      used.count += 1;
      try {
        return await work();
      } finally {
        used.count -= 1;
        if (used.count === 0) users.delete(policy.name);
      }
    },
    inUse: () => [...users.values()].map(({ policy }) => policy),
    async drained({ name }, signal) {
      while (users.has(name)) await sleep(DRAIN_EVERY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    },
  };
}

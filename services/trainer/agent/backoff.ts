import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from './agent-client.ts';

const FIRST_MS = 250;
const LONGEST_MS = 10_000;

/** Wait before retry number `failures` (from 1): doubled each time, at most ten seconds. Milliseconds. */
export function backoffMs(failures: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
}

/**
 * Calls until the control plane answers, however long it is away.
 * @throws AgentError that will not pass, or the signal's reason once it is aborted.
 */
export async function untilAnswered<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AgentError) || error.kind !== 'unreachable') throw error;
    }
    await sleep(backoffMs(failures), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

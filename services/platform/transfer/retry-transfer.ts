import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../retry.ts';
import { TransferError } from './transfer-error.ts';
import { type RetryLimits, transferDefaults } from './transfer-options.ts';

/**
 * Repeats a transfer that may go well the next time: `unreachable` with growing pauses, `damaged` a few times.
 *
 * @param advanced how many bytes have got through by now: more than at the last failure means that count and time start again
 * @throws TransferError of the last try, any other error at once, or the signal's reason.
 */
export async function retryTransfer(
  attempt: () => Promise<void>,
  options: { signal: AbortSignal; retry: RetryLimits; advanced?: () => number },
): Promise<void> {
  const { signal, retry, advanced = () => 0 } = options;
  let [failures, damaged, reached] = [0, 0, 0];
  let since = performance.now();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TransferError)) throw error;
      if (error.kind === 'damaged') {
        if (++damaged === transferDefaults.damagedTries) throw error;
      } else if (error.kind !== 'unreachable') throw error;
      const now = advanced();
      if (now > reached) [failures, since, reached] = [0, performance.now(), now];
      failures += 1;
      if (failures >= retry.tries || performance.now() - since >= (retry.withinMs ?? Infinity)) throw error;
    }
    // Parts that failed together do not come back together.
    const wait = backoffMs({ failures, ...retry }) * (0.5 + Math.random() / 2);
    await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

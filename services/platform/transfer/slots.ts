import { setMaxListeners } from 'node:events';

/** Runs work when one of a number of slots is free, in the order it was asked. */
export type Slots = <T>(work: () => Promise<T>) => Promise<T>;

export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

/**
 * Does all of it in the slots; the first error aborts the rest, and is thrown when all of it has come to rest.
 * @throws the signal's reason once it is aborted
 */
export async function allInSlots<T>(
  items: readonly T[],
  slots: Slots,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const run = async (item: T) => {
      stop.signal.throwIfAborted();
      await work(item, stop.signal);
    };
    const abortOthers = (error: unknown) => {
      stop.abort(error);
      throw error;
    };
    await Promise.allSettled(items.map((item) => slots(() => run(item).catch(abortOthers))));
    stop.signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

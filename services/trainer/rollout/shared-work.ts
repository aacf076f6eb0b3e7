/** Work that several need at once is done once; it is given up when nobody waits for it any more. */
export interface SharedWork {
  /**
   * Begins the work, or joins what has begun. `signal` ends the caller's own wait at once.
   * @throws what the work throws, or the signal's reason
   */
  join(signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

interface UnderWay {
  readonly done: Promise<void>;
  readonly end: AbortController;
  waiting: number;
}

export function createSharedWork(): SharedWork {
  let current: UnderWay | null = null;

  function begin(work: (signal: AbortSignal) => Promise<void>): UnderWay {
    const end = new AbortController();
    const begun: UnderWay = { end, waiting: 0, done: work(end.signal).finally(() => forget(begun)) };
    // Those who wait hear of it; where nobody does any more it is nobody's.
    begun.done.catch(() => undefined);
    return begun;
  }

  function forget(work: UnderWay): void {
    if (current === work) current = null;
  }

  return {
    async join(signal, work) {
      signal.throwIfAborted();
      current ??= begin(work);
      const joined = current;
      joined.waiting += 1;
      let onAbort: () => void = () => undefined;
      const stopped = new Promise<never>((_resolve, reject) => {
        onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
      });
      try {
        await Promise.race([joined.done, stopped]);
      } finally {
        signal.removeEventListener('abort', onAbort);
        joined.waiting -= 1;
        if (joined.waiting === 0) {
          forget(joined);
          joined.end.abort(signal.reason);
        }
      }
    },
  };
}

import type { RecordListener } from './record-subscriptions.ts';
import type { Cursor, RecordEntry, RecordPage } from './record-types.ts';

const PAGE = 500;

/**
 * Records after a cursor, first what is stored, then what comes, until `signal` is aborted. Everything is read from the files, and a notice that
 * records have come only wakes the reader up: nothing is lost or doubled between the two, and a slow reader holds one page in memory.
 */
export async function* followRecords(
  cursor: Cursor,
  {
    read,
    subscribe,
    signal,
  }: {
    read: (cursor: Cursor, limit: number) => Promise<RecordPage>;
    subscribe: (listener: RecordListener) => () => void;
    signal: AbortSignal;
  },
): AsyncGenerator<RecordEntry & { cursor: Cursor }> {
  let awake = deferred();
  const wake = () => awake.resolve();
  const unsubscribe = subscribe(wake);
  signal.addEventListener('abort', wake);
  try {
    for (let at = cursor; !signal.aborted; ) {
      awake = deferred();
      const page = await read(at, PAGE);
      for (const entry of page.entries) {
        if (signal.aborted) return;
        yield { ...entry, cursor: { attempt: entry.attempt, n: entry.record.n } };
      }
      at = page.cursor;
      if (!page.more && !signal.aborted) await awake.promise;
    }
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', wake);
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

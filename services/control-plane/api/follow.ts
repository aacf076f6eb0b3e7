import type { Stream, StreamMessage } from './sse.ts';

export interface FollowOptions {
  stream: Stream;
  /** What comes after what was read before; `more` when there is more already. */
  read: () => Promise<{ messages: StreamMessage[]; more: boolean }> | { messages: StreamMessage[]; more: boolean };
  /** Calls back whenever something may have been added, until the returned function is called. */
  subscribe: (wake: () => void) => () => void;
  /** What the last event says once nothing can be added any more; null before. */
  ending: () => Record<string, unknown> | null;
}

/**
 * Sends everything there is and then everything that comes, in order, each once, until the end or until the client is gone. A notification
 * only wakes it: what is sent is always read from where the last read stopped, so a slow follower misses nothing and queues nothing.
 */
export async function follow({ stream, read, subscribe, ending }: FollowOptions): Promise<void> {
  let woken = true;
  let wake = () => {
    woken = true;
  };
  const unsubscribe = subscribe(() => wake());
  stream.signal.addEventListener('abort', () => wake(), { once: true });
  try {
    while (!stream.signal.aborted) {
      woken = false;
      // Asked before reading: what was added before the end is then still read.
      const end = ending();
      const { messages, more } = await read();
      for (const message of messages) await stream.send(message);
      if (more || woken || stream.signal.aborted) continue;
      if (end !== null) {
        stream.end({ event: 'end', data: end });
        return;
      }
      await new Promise<void>((resolve) => {
        wake = () => {
          woken = true;
          resolve();
        };
      });
    }
  } finally {
    unsubscribe();
  }
}

import { setTimeout as delay } from 'node:timers/promises';

const [FIRST_PAUSE_MS, MAX_PAUSE_MS] = [5, 200];

/**
 * Sends again while the daemon's socket has no room for one more connection: a unix socket then answers EAGAIN at once, where TCP would wait.
 * Nothing was sent by then. It gives up after `limitMs`, and with the signal.
 */
export async function onceAccepted<T>(send: () => Promise<T>, limitMs: number, signal: AbortSignal): Promise<T> {
  const until = performance.now() + limitMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
    try {
      return await send();
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' || syscall !== 'connect' || performance.now() >= until) throw error;
      await delay(pause * (0.5 + Math.random()), undefined, { signal });
    }
  }
}

import { answeredError, DockerError, transportError } from './docker-error.ts';
import type { CallOptions } from './engine-types.ts';

/** What dockerode rejects with when the daemon has answered. */
interface Answered extends Error {
  statusCode: number;
  json: unknown;
}

export interface Call<T> extends CallOptions {
  /** What is done, for the messages of errors: `create container tandem-x`. */
  what: string;
  limitMs: number;
  send: (abortSignal: AbortSignal) => Promise<T>;
  /** What must not be in an error, though the daemon may repeat it. */
  secrets?: readonly string[];
}

export type Caller = <T>(call: Call<T>) => Promise<T>;

/**
 * One request to the daemon with a limit of its own. It ends when the limit has passed or the signal is aborted, whatever the client does: dockerode's
 * promise never settles when the connection breaks in the middle of an answer.
 */
export function createCaller(socketPath: string): Caller {
  return async ({ what, limitMs, send, signal, secrets }) => {
    signal?.throwIfAborted();
    const controller = new AbortController();
    let stop: (reason: unknown) => void = () => undefined;
    const stopped = new Promise<never>((_, reject) => {
      stop = (reason) => {
        reject(reason);
        controller.abort();
      };
    });
    const timer = setTimeout(() => stop(timeoutError(what, limitMs)), limitMs);
    const abort = () => stop(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const sent = send(controller.signal).catch((error: unknown) => {
      throw isAnswered(error)
        ? answeredError(what, error.statusCode, said(error), secrets)
        : transportError(what, socketPath, error);
    });
    try {
      return await Promise.race([sent, stopped]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  };
}

function timeoutError(what: string, limitMs: number): DockerError {
  const remedy = 'Look whether it hangs: its log (journalctl -u docker), its disk, the GPU driver';
  return new DockerError('timeout', `${what}: the Docker daemon did not answer within ${limitMs / 1000} s. ${remedy}.`);
}

function isAnswered(error: unknown): error is Answered {
  return error instanceof Error && typeof (error as Partial<Answered>).statusCode === 'number';
}

function said({ json }: Answered): string {
  if (json instanceof Uint8Array) return Buffer.from(json).toString('utf8');
  const message = typeof json === 'object' && json !== null ? (json as { message?: unknown }).message : json;
  return typeof message === 'string' ? message : '';
}

/** The answer, or `value` when the daemon answers with one of the kinds. */
export async function otherwise<T, V>(
  answer: Promise<T>,
  kinds: readonly DockerError['kind'][],
  value: V,
): Promise<T | V> {
  return await answer.catch((error: unknown) => {
    if (error instanceof DockerError && kinds.includes(error.kind)) return value;
    throw error;
  });
}

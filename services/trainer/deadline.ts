/**
 * Runs `work` with a signal that is aborted with `signal`, or after `milliseconds` with a `TimeoutError`. Unlike `AbortSignal.any` and
 * `AbortSignal.timeout` it leaves nothing behind on a signal that lives as long as the process, however often it is used.
 */
export async function withDeadline<T>(
  milliseconds: number,
  signal: AbortSignal | undefined,
  work: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const onAbort = () => limit.abort(signal?.reason);
  const timer = setTimeout(
    () => limit.abort(new DOMException(`no answer within ${milliseconds / 1000} s`, 'TimeoutError')),
    milliseconds,
  );
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    return await work(limit.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

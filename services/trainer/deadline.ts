/**
 * Runs `work` with a signal that is aborted with `signal`, or after `milliseconds` with a `TimeoutError`. Unlike `AbortSignal.any` and
 * `AbortSignal.timeout` it leaves nothing behind on a signal that lives as long as the process, however often it is used.
 * @param uncounted milliseconds so far that are on nobody's account; those that are added meanwhile put the deadline off
 */
export async function withDeadline<T>(
  milliseconds: number,
  signal: AbortSignal | undefined,
  work: (limit: AbortSignal) => Promise<T>,
  uncounted: () => number = () => 0,
): Promise<T> {
  const limit = new AbortController();
  const onAbort = () => limit.abort(signal?.reason);
  let forgiven = uncounted();
  const onExpiry = () => {
    const more = uncounted() - forgiven;
    forgiven += more;
    if (more > 0) timer = setTimeout(onExpiry, more);
    else limit.abort(new DOMException(`no answer within ${milliseconds / 1000} s`, 'TimeoutError'));
  };
  let timer = setTimeout(onExpiry, milliseconds);
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    return await work(limit.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

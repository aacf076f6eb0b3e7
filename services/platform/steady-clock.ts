/**
 * A clock that begins at the time of day and then only counts, so that differences of its times are durations even when somebody sets the machine's
 * clock meanwhile. Milliseconds since the epoch, as it was known at the start.
 */
export function createSteadyClock({
  wall = Date.now,
  monotonic = () => performance.now(),
}: {
  wall?: () => number;
  monotonic?: () => number;
} = {}): () => number {
  const offset = wall() - monotonic();
  return () => Math.round(offset + monotonic());
}

/** Milliseconds of each of `count` calls, in the order they were made. */
export type Times = readonly number[];

/** The `p`-th percentile by nearest rank, p in 0..100. */
export function percentile(times: Times, p: number): number {
  if (times.length === 0) throw new RangeError('a percentile needs at least one value');
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)]!;
}

export const median = (times: Times): number => percentile(times, 50);

/** What the work takes when nothing else wants the processor: for comparing rates of engines, whose processes cannot take turns. */
export const fastest = (times: Times): number => percentile(times, 0);

/** Milliseconds that `work` takes. */
export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * Times several pieces of work in turns, so that what else the machine does falls on all of them alike.
 * @returns `count` times for each, after `warmup` calls that do not count.
 */
export async function timedInTurns<K extends string>(
  works: Readonly<Record<K, () => unknown>>,
  { count, warmup }: { count: number; warmup: number },
): Promise<Record<K, number[]>> {
  const names = Object.keys(works) as K[];
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, number[]>;
  for (let turn = -warmup; turn < count; turn++) {
    // Each goes first as often as the others, because the first one pays for caches.
    const first = Math.abs(turn) % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const time = await timed(works[name]);
      if (turn >= 0) times[name].push(time);
    }
  }
  return times;
}

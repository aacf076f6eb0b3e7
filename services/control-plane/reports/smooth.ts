/** Below this many values the curve is its own smoothing. */
const SMOOTHED_FROM = 10;

/** Values that a smoothed point looks back on: a 15th of the run, from 5 to 1000; null when there are too few to smooth. */
export function smoothingSpan(count: number): number | null {
  return count < SMOOTHED_FROM ? null : Math.min(1000, Math.max(5, Math.round(count / 15)));
}

/**
 * Exponential moving average with the weight 2 / (span + 1), started without bias (each weight divided by the sum of those so far). Values that are not
 * finite change nothing and stay gaps.
 */
export function smooth(values: Float64Array, span: number): Float64Array {
  const keep = 1 - 2 / (span + 1);
  let average = 0;
  let weight = 0;
  return values.map((value) => {
    if (!Number.isFinite(value)) return Number.NaN;
    average = keep * average + (1 - keep) * value;
    weight = keep * weight + (1 - keep);
    return average / weight;
  });
}

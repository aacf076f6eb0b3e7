import type { Statistics } from '../../contracts/comparison.ts';

export type Better = 'lower' | 'higher' | null;

/** A trend needs this many values; below it a line through them says nothing. */
const TREND_VALUES = 5;

/** What a measure did over a run. Values that are not finite are counted and otherwise left out. */
export function statisticsOf(steps: Float64Array, values: Float64Array, better: Better): Statistics {
  const kept = finitePoints(steps, values);
  const extremes = kept.reduce<{ low: Point | null; high: Point | null }>(
    ({ low, high }, point) => ({
      low: low === null || point.value < low.value ? point : low,
      high: high === null || point.value > high.value ? point : high,
    }),
    { low: null, high: null },
  );
  const { mean, variance } = moments(kept);
  return {
    count: values.length,
    not_finite: values.length - kept.length,
    first: kept[0]?.value ?? null,
    last: kept.at(-1)?.value ?? null,
    mean,
    variance,
    min: extremes.low?.value ?? null,
    max: extremes.high?.value ?? null,
    best: better === null ? null : better === 'lower' ? extremes.low : extremes.high,
    trend: trendOf(kept),
  };
}

interface Point {
  step: number;
  value: number;
}

function finitePoints(steps: Float64Array, values: Float64Array): Point[] {
  const points: Point[] = [];
  values.forEach((value, at) => {
    const step = steps[at] ?? Number.NaN;
    if (Number.isFinite(value) && Number.isFinite(step)) points.push({ step, value });
  });
  return points;
}

/** By Welford's recurrence, which loses no digits to large means. */
function moments(points: readonly Point[]): { mean: number | null; variance: number | null } {
  let mean = 0;
  let squares = 0;
  points.forEach(({ value }, at) => {
    const delta = value - mean;
    mean += delta / (at + 1);
    squares += delta * (value - mean);
  });
  return {
    mean: points.length === 0 ? null : finite(mean),
    variance: points.length < 2 ? null : finite(squares / (points.length - 1)),
  };
}

/** A line through the later half of the steps, by least squares. */
function trendOf(points: readonly Point[]): Statistics['trend'] {
  const low = points[0]?.step ?? 0;
  const middle = low + ((points.at(-1)?.step ?? 0) - low) / 2;
  const half = points.filter(({ step }) => step >= middle);
  const { length } = half;
  if (length < TREND_VALUES) return null;
  const meanStep = half.reduce((sum, { step }) => sum + step / length, 0);
  const meanValue = half.reduce((sum, { value }) => sum + value / length, 0);
  // What a mean of equal values is off by is no trend.
  const rounding = half.reduce((most, { value }) => Math.max(most, Math.abs(value)), 0) * length * Number.EPSILON;
  let [xx, xy, yy] = [0, 0, 0];
  for (const { step, value } of half) {
    const off = Math.abs(value - meanValue) <= rounding ? 0 : value - meanValue;
    xx += (step - meanStep) ** 2;
    xy += (step - meanStep) * off;
    yy += off ** 2;
  }
  const slope = xy / xx;
  if (xx === 0 || !Number.isFinite(slope)) return null;
  const error = Math.sqrt(Math.max(0, yy - slope * xy) / (length - 2) / xx);
  const isFlat = Math.abs(slope) <= 2 * error || slope === 0;
  return {
    per_1000_steps: slope * 1000,
    direction: isFlat ? 'flat' : slope > 0 ? 'rising' : 'falling',
    from_step: half[0]?.step ?? 0,
  };
}

/** Values near the end of the range of numbers have squares beyond it. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

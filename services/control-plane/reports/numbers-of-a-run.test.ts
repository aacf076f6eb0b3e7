import { describe, expect, it } from 'vitest';
import { downsample } from './downsample.ts';
import { smooth, smoothingSpan } from './smooth.ts';
import { statisticsOf } from './statistics.ts';

const steps = (count: number) => Float64Array.from({ length: count }, (_, at) => at + 1);

describe('statistics', () => {
  it('are those of the values that are numbers', () => {
    const values = Float64Array.from([4, 2, Number.NaN, 6, Number.POSITIVE_INFINITY]);
    expect(statisticsOf(steps(5), values, 'lower')).toEqual({
      count: 5,
      not_finite: 2,
      first: 4,
      last: 6,
      mean: 4,
      variance: 4,
      min: 2,
      max: 6,
      best: { step: 2, value: 2 },
      trend: null,
    });
  });

  it('keep the variance of small noise on a large mean', () => {
    const values = Float64Array.from({ length: 1000 }, (_, at) => 1e9 + (at % 2));
    expect(statisticsOf(steps(1000), values, null).variance).toBeCloseTo(0.25025, 4);
  });

  it('find the slope of the later half, and call it flat when it may be noise', () => {
    const line = steps(100).map((step) => (step < 50 ? 7 : step * 0.002));
    expect(statisticsOf(steps(100), line, null).trend).toEqual({
      per_1000_steps: expect.closeTo(2, 9),
      direction: 'rising',
      from_step: 51,
    });
    const noise = steps(100).map((step) => (Math.sin(step * 12.9898) * 43758.5453) % 1);
    expect(statisticsOf(steps(100), noise, null).trend?.direction).toBe('flat');
    // The mean of 0.005 is not 0.005 to the last bit.
    expect(statisticsOf(steps(130), steps(130).fill(0.005), null).trend).toMatchObject({
      direction: 'flat',
      per_1000_steps: 0,
    });
  });

  it('of nothing, of one value and of huge ones are no error', () => {
    expect(statisticsOf(steps(0), steps(0), 'higher')).toMatchObject({ count: 0, mean: null, best: null, trend: null });
    expect(statisticsOf(steps(1), Float64Array.of(5), 'higher')).toMatchObject({
      mean: 5,
      variance: null,
      best: { step: 1 },
    });
    const huge = steps(10).map((step) => (step % 2 === 0 ? 1e308 : -1e308));
    expect(() => JSON.stringify(statisticsOf(steps(10), huge, null))).not.toThrow();
    expect(statisticsOf(steps(10), huge, null).variance).toBeNull();
  });
});

describe('smoothing', () => {
  it('starts at the first value, stays between the values, and leaves gaps', () => {
    const smoothed = smooth(Float64Array.from([1, 3, Number.NaN, 3]), 5);
    expect(smoothed[0]).toBe(1);
    expect(smoothed[1]).toBeGreaterThan(1);
    expect(smoothed[2]).toBeNaN();
    expect(smoothed[3]).toBeLessThan(3);
  });

  it('leaves few values alone', () => {
    expect([9, 10, 1500, 1e6].map(smoothingSpan)).toEqual([null, 5, 100, 1000]);
  });
});

describe('downsampling', () => {
  it('keeps ends and a single outlier of 100,000 points', () => {
    const values = steps(100_000).map((step) => (step === 70_001 ? 9 : Math.sin(step)));
    const points = downsample(steps(100_000), values, 1000);
    expect(points).toHaveLength(1000);
    expect(points[0]?.[0]).toBe(1);
    expect(points.at(-1)?.[0]).toBe(100_000);
    expect(points).toContainEqual([70_001, 9]);
  });

  it('keeps gaps, and all of a few points', () => {
    const values = Float64Array.from([1, Number.NaN, Number.NaN, 4, 5]);
    expect(downsample(steps(5), values, 100)).toEqual([[1, 1], null, [4, 4], [5, 5]]);
  });

  it('is bounded where every other value is missing', () => {
    const values = steps(50_000).map((step) => (step % 2 === 0 ? step : Number.NaN));
    expect(downsample(steps(50_000), values, 500).length).toBeLessThanOrEqual(500);
  });
});

/** Mean, median, population standard deviation and extremes; all 0 for no values. */
export interface Statistics {
  readonly mean: number;
  readonly median: number;
  readonly std: number;
  readonly min: number;
  readonly max: number;
}

export function statisticsOf(values: readonly number[]): Statistics {
  if (values.length === 0) return { mean: 0, median: 0, std: 0, min: 0, max: 0 };
  const sorted = [...values].sort((a, b) => a - b);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { mean, median, std: Math.sqrt(variance), min: sorted[0]!, max: sorted.at(-1)! };
}

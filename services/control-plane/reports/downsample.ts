/** A point of a curve; null where the curve has a gap. */
export type CurvePoint = readonly [step: number, value: number] | null;

/**
 * At most about `limit` points that look like all of them: largest triangle three buckets (Steinarsson, 2013), for each stretch between gaps on its own.
 * So a single outlier is kept, and a curve is not drawn through steps at which nothing was measured. Where gaps are as many as points can be
 * drawn they are left out.
 */
export function downsample(steps: Float64Array, values: Float64Array, limit: number): CurvePoint[] {
  const stretches = stretchesOf(steps, values);
  const total = stretches.reduce((sum, { length }) => sum + length, 0);
  if (stretches.length > limit / 4 && total > limit) return largestTriangles(stretches.flat(), limit);
  const shares = stretches.map((stretch) =>
    total <= limit ? stretch : largestTriangles(stretch, Math.max(3, Math.round((limit * stretch.length) / total))),
  );
  return shares.flatMap((points, at): CurvePoint[] => (at === 0 ? points : [null, ...points]));
}

type Point = readonly [number, number];

function stretchesOf(steps: Float64Array, values: Float64Array): Point[][] {
  const stretches: Point[][] = [];
  let isOpen = false;
  values.forEach((value, at) => {
    const step = steps[at] ?? Number.NaN;
    if (!Number.isFinite(value) || !Number.isFinite(step)) {
      isOpen = false;
      return;
    }
    if (!isOpen) stretches.push([]);
    isOpen = true;
    stretches.at(-1)?.push([step, value]);
  });
  return stretches;
}

function largestTriangles(points: readonly Point[], limit: number): Point[] {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined || points.length <= limit) return [...points];
  const width = (points.length - 2) / (limit - 2);
  const startOf = (bucket: number) => 1 + Math.floor(bucket * width);
  const chosen: Point[] = [first];
  let from = first;
  for (let bucket = 0; bucket < limit - 2; bucket++) {
    const next = meanOf(points.slice(startOf(bucket + 1), Math.min(startOf(bucket + 2), points.length))) ?? last;
    let best: Point | null = null;
    let largest = -1;
    for (const point of points.slice(startOf(bucket), startOf(bucket + 1))) {
      const area = Math.abs((from[0] - next[0]) * (point[1] - from[1]) - (from[0] - point[0]) * (next[1] - from[1]));
      // The area of values near the end of the range of numbers is none; they are what must be seen.
      const rank = Number.isNaN(area) ? Number.POSITIVE_INFINITY : area;
      if (rank <= largest) continue;
      largest = rank;
      best = point;
    }
    if (best === null) continue;
    chosen.push(best);
    from = best;
  }
  return [...chosen, last];
}

function meanOf(points: readonly Point[]): Point | null {
  if (points.length === 0) return null;
  let [step, value] = [0, 0];
  for (const point of points) {
    step += point[0] / points.length;
    value += point[1] / points.length;
  }
  return [step, value];
}

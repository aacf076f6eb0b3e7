import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Database } from '../../platform/database.ts';
import type { MetricQuery, MetricValue, Series } from './record-types.ts';

/** The newest value of each step that counts: rows `step`, `value` for `:series`, `:run`, `:from`, `:to`. */
export const LATEST = `
  SELECT p.step AS step, p.value AS value, max(p.attempt * 1099511627776 + p.n)
  FROM metric_points p JOIN record_lineage l ON l.run = :run AND l.attempt = p.attempt AND p.n <= l.up_to
  WHERE p.series = :series AND p.step BETWEEN :from AND :to GROUP BY p.step`;

/** Stored points that are read without giving others a turn: some ten milliseconds. */
const PAGE = 4000;

/** One metric on the clean axis, with at most `query.points` points. */
export async function readSeries(db: Database, series: number, name: string, query: MetricQuery): Promise<Series> {
  const range = { run: query.run, series, from: query.fromStep, to: query.toStep ?? Number.MAX_SAFE_INTEGER };
  const extent = await measure(db, range);
  if (extent === null) return { name, steps: [], values: [] };
  const rows =
    extent.count <= query.points
      ? db.all<Point>(`SELECT step, value FROM (${LATEST}) ORDER BY step`, { ...range, to: extent.high })
      : await averages(db, range, extent, query.points);
  return { name, steps: rows.map(({ step }) => step), values: rows.map(({ value }) => toMetricValue(value)) };
}

type Range = { run: string; series: number; from: number; to: number };
interface Extent {
  /** Steps on the clean axis, the first and the last of them. */
  count: number;
  low: number;
  high: number;
  /** Where pages begin. */
  starts: number[];
}

async function measure(db: Database, range: Range): Promise<Extent | null> {
  const found: Extent = { count: 0, low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY, starts: [] };
  for (let from: number | null = range.from; from !== null; ) {
    const next = pageBehind(db, range, from);
    const page = db.get<{ count: number; low: number | null; high: number | null }>(
      `SELECT count(*) AS count, min(step) AS low, max(step) AS high FROM (${LATEST})`,
      { ...range, from, to: next === null ? range.to : next - 1 },
    );
    if (page !== undefined && page.low !== null && page.high !== null) {
      found.count += page.count;
      found.low = Math.min(found.low, page.low);
      found.high = Math.max(found.high, page.high);
    }
    found.starts.push(from);
    from = next;
    if (from !== null) await yieldToOthers();
  }
  return found.count === 0 ? null : found;
}

/** The step at which the next page begins; null on the last page. */
function pageBehind(db: Database, { series, to }: Range, from: number): number | null {
  const row = db.get<{ step: number }>(
    `SELECT step FROM metric_points WHERE series = :series AND step > :from AND step <= :to ORDER BY step LIMIT 1 OFFSET ${PAGE}`,
    { series, from, to },
  );
  return row?.step ?? null;
}

/** The averages of buckets. A bucket is never divided between pages, so that its average is that of one query. */
async function averages(db: Database, range: Range, { low, high, starts }: Extent, points: number): Promise<Point[]> {
  const width = (high - low + 1) / points;
  const within = starts.filter((start) => start <= high);
  const pages = [...new Set(within.map((start) => bucketStart(Math.max(start, low), { low, width })))];
  const result: Point[] = [];
  for (const [at, from] of pages.entries()) {
    const to = (pages[at + 1] ?? high + 1) - 1;
    const page = db.all<Point>(
      `SELECT avg(step) AS step, CASE WHEN count(value) < count(*) THEN NULL ELSE avg(value) END AS value
       FROM (${LATEST}) GROUP BY CAST((step - :low) / :width AS INTEGER) ORDER BY 1`,
      { ...range, from, to, low, width },
    );
    for (const point of page) result.push(point);
    await yieldToOthers();
  }
  return result;
}

/** The first step of the bucket that a step is in, by the same arithmetic as the query's. */
function bucketStart(step: number, { low, width }: { low: number; width: number }): number {
  const bucketOf = (each: number) => Math.trunc((each - low) / width);
  const bucket = bucketOf(step);
  let first = Math.max(low, Math.floor(low + bucket * width) - 1);
  while (bucketOf(first) < bucket) first += 1;
  return first;
}

interface Point {
  step: number;
  value: number | null;
}

/** JSON has no NaN and no infinities, so they travel as words. */
function toMetricValue(value: number | null): MetricValue {
  if (value === null || Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return 'Infinity';
  if (value === Number.NEGATIVE_INFINITY) return '-Infinity';
  return value;
}

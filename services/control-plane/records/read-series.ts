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

/** What a page holds of a bucket. `sum` is null where one of its values is NaN. */
interface Part {
  bucket: number;
  count: number;
  steps: number;
  sum: number | null;
}

/** The averages of buckets, which are added up over pages: one of few may be of very many steps. */
async function averages(db: Database, range: Range, { low, high, starts }: Extent, points: number): Promise<Point[]> {
  const width = (high - low + 1) / points;
  const buckets: Part[] = [];
  for (const [at, from] of starts.entries()) {
    if (from > high) break;
    const to = Math.min((starts[at + 1] ?? high + 1) - 1, high);
    const parts = db.all<Part>(
      `SELECT CAST((step - :low) / :width AS INTEGER) AS bucket, count(*) AS count, total(step) AS steps,
         CASE WHEN count(value) < count(*) THEN NULL ELSE sum(value) END AS sum
       FROM (${LATEST}) GROUP BY bucket ORDER BY bucket`,
      { ...range, from, to, low, width },
    );
    for (const part of parts) {
      const last = buckets.at(-1);
      if (last?.bucket !== part.bucket) {
        buckets.push(part);
        continue;
      }
      last.count += part.count;
      last.steps += part.steps;
      last.sum = last.sum === null || part.sum === null ? null : last.sum + part.sum;
    }
    await yieldToOthers();
  }
  return buckets.map(({ count, steps, sum }) => ({ step: steps / count, value: sum === null ? null : sum / count }));
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

import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openDatabase } from '../../platform/database.ts';
import { readSeries } from './read-series.ts';
import { recordTables } from './record.tables.ts';

const run = 'run-aaaaaaaa';
const [fromStep, toStep] = [10, 32_000];

/** 30,000 points with gaps between their steps, some steps reported twice, and a last stretch that was superseded. */
function openLongRun() {
  const db = openDatabase({ path: ':memory:', migrations: [recordTables] });
  db.run(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
     INSERT INTO metric_points SELECT 1, i + i / 7 + (i > 20000) * 3000 - (i % 5 = 0), 1, i, 1.0 / i FROM n`,
  );
  db.run('INSERT INTO record_lineage VALUES (:run, 1, NULL, 0, NULL, 25000)', { run });
  return db;
}

it.each([2, 7, 500, 4999])('a long series in %d points is read in pieces, and is that of one query', async (points) => {
  const db = openLongRun();
  const rows = `SELECT step, value, max(n) FROM metric_points WHERE n <= 25000 AND step BETWEEN ${fromStep} AND ${toStep} GROUP BY step`;
  const { low, high } = db.get<{ low: number; high: number }>(
    `SELECT min(step) AS low, max(step) AS high FROM (${rows})`,
  )!;
  const whole = db.all<{ step: number; value: number }>(
    `SELECT avg(step) AS step, avg(value) AS value FROM (${rows}) GROUP BY CAST((step - :low) / :width AS INTEGER) ORDER BY 1`,
    { low, width: (high - low + 1) / points },
  );
  let turns = 0;
  let series: Awaited<ReturnType<typeof readSeries>> | null = null;
  void readSeries(db, 1, 'loss', { run, fromStep, toStep, points }).then((read) => {
    series = read;
  });
  for (; series === null; turns += 1) await turn();
  // Twice over eight pages of stored points, however few points are wanted.
  expect(turns).toBeGreaterThan(12);
  const { steps, values } = series as Awaited<ReturnType<typeof readSeries>>;
  expect(steps).toEqual(whole.map(({ step }) => step));
  expect(values).toHaveLength(whole.length);
  // Sums of pages are rounded otherwise than the sum of all.
  for (const [at, value] of values.entries()) expect(value).toBeCloseTo(whole[at]?.value ?? 0, 12);
  db.close();
});

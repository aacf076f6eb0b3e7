import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Database } from '../../platform/database.ts';
import { LATEST, readSeries } from './read-series.ts';
import type { MetricQuery, MetricRow, RowQuery, Series } from './record-types.ts';

/**
 * Metrics on the clean axis, each with at most `points` points. More are averaged in buckets of equal width, a bucket standing at the mean of
 * its steps; a NaN in a bucket makes it NaN. Cost: two passes over the stored steps of each series, a few thousand at a time with other work between;
 * what is recorded meanwhile is not in them.
 */
export async function queryMetrics(db: Database, query: MetricQuery): Promise<Series[]> {
  const result: Series[] = [];
  for (const { id, name } of seriesOf(db, query.run, query.names)) {
    const series = await readSeries(db, id, name, query);
    if (series.steps.length > 0) result.push(series);
    await yieldToOthers();
  }
  return result;
}

/** A row for each step from `fromStep` to `toStep` that is a multiple of `every` and has one of `names`, on the clean axis. */
export function queryRows(
  db: Database,
  { run, names, every, fromStep, toStep }: RowQuery & { run: string },
): MetricRow[] {
  const rows = new Map<number, MetricRow>();
  for (const { id, name } of seriesOf(db, run, names)) {
    const points = db.all<{ step: number; value: number | null }>(
      `SELECT step, value FROM (${LATEST}) WHERE step % :every = 0`,
      { run, series: id, from: fromStep, to: toStep, every },
    );
    for (const { step, value } of points) {
      const row = rows.get(step) ?? { step, epoch: 0, samples: 0, values: {} };
      row.values[name] = value ?? Number.NaN;
      rows.set(step, row);
    }
  }
  for (const row of rows.values()) Object.assign(row, positionAt(db, run, row.step));
  return [...rows.values()].sort((a, b) => a.step - b.step);
}

/** The step of metrics record number `count` from `fromStep` on, counting those of every attempt; null where there are fewer. Few rows lie between, however far the steps. */
export function stepAfterRecords(db: Database, run: string, fromStep: number, count: number): number | null {
  const found = db.get<{ step: number }>(
    'SELECT step FROM metric_steps WHERE run = :run AND step >= :from ORDER BY step LIMIT 1 OFFSET :before',
    { run, from: fromStep, before: count - 1 },
  );
  return found?.step ?? null;
}

/** The last step on the clean axis that has one of `names`; -1 before the first. Looks at the end of each series alone. */
export function lastStep(db: Database, run: string, names: readonly string[]): number {
  const lasts = seriesOf(db, run, names).map(
    ({ id }) =>
      db.get<{ step: number }>(
        `SELECT p.step AS step FROM metric_points p
         CROSS JOIN record_lineage l ON l.run = :run AND l.attempt = p.attempt AND p.n <= l.up_to
         WHERE p.series = :series ORDER BY p.step DESC LIMIT 1`,
        { run, series: id },
      )?.step ?? -1,
  );
  return Math.max(-1, ...lasts);
}

/** The value at the last step on the clean axis of each of `names` that has one. Looks at the end of each series alone. */
export function latestValues(db: Database, run: string, names: readonly string[]): Record<string, number> {
  const values = seriesOf(db, run, names).flatMap(({ id, name }) => {
    const row = db.get<{ value: number | null }>(
      `SELECT p.value AS value FROM metric_points p
       CROSS JOIN record_lineage l ON l.run = :run AND l.attempt = p.attempt AND p.n <= l.up_to
       WHERE p.series = :series ORDER BY p.step DESC, p.attempt DESC, p.n DESC LIMIT 1`,
      { run, series: id },
    );
    return row === undefined ? [] : [[name, row.value ?? Number.NaN] as const];
  });
  return Object.fromEntries(values);
}

/** Epoch and samples at a step, or at the last one before it that was recorded; zeros before the first. */
export function positionAt(db: Database, run: string, step: number): { epoch: number; samples: number } {
  return (
    db.get(
      `SELECT m.epoch AS epoch, m.samples AS samples FROM metric_steps m
       JOIN record_lineage l ON l.run = m.run AND l.attempt = m.attempt AND m.n <= l.up_to
       WHERE m.run = :run AND m.step <= :step ORDER BY m.step DESC, m.attempt DESC, m.n DESC LIMIT 1`,
      { run, step },
    ) ?? { epoch: 0, samples: 0 }
  );
}

function seriesOf(db: Database, run: string, names: readonly string[] | undefined): { id: number; name: string }[] {
  const all = db.all<{ id: number; name: string }>(
    'SELECT id, name FROM metric_series WHERE run = :run ORDER BY name',
    {
      run,
    },
  );
  return names === undefined ? all : all.filter(({ name }) => names.includes(name));
}

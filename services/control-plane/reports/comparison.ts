import type { Statistics } from '../../contracts/comparison.ts';
import type { Method } from '../../contracts/run-spec.ts';
import type { MeasuredLog } from './measures.ts';
import type { Row } from './training-log.ts';

/** A run as it is compared. */
export interface ComparedRun {
  /** Name that no other compared run has. */
  title: string;
  log: MeasuredLog;
  /** What it was set to, flat: `training.batch_size`, or the log's own config. */
  settings: Row;
}

export interface Comparison {
  runs: { title: string; method: Method; best: Row | null; statistics: Record<string, Statistics> }[];
  /** Each setting that any of the runs has, with its value in each of them, null where it has none; those that differ come first. */
  settings: { key: string; values: unknown[]; differs: boolean }[];
}

export function compareRuns(runs: readonly ComparedRun[]): Comparison {
  const keys = [...new Set(runs.flatMap(({ settings }) => Object.keys(settings)))];
  const settings = keys.map((key) => {
    const values = runs.map((run) => (Object.hasOwn(run.settings, key) ? (run.settings[key] ?? null) : null));
    return { key, values, differs: new Set(values.map((value) => JSON.stringify(value))).size > 1 };
  });
  return {
    runs: runs.map(({ title, log }) => ({
      title,
      method: log.method,
      best: log.best,
      statistics: Object.fromEntries(log.traces.map(({ key, statistics }) => [key, statistics])),
    })),
    settings: [...settings.filter(({ differs }) => differs), ...settings.filter(({ differs }) => !differs)],
  };
}

/** Names made distinct: the second `a` becomes `a (2)`. */
export function distinctTitles(titles: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return titles.map((title) => {
    const count = (seen.get(title) ?? 0) + 1;
    seen.set(title, count);
    return count === 1 ? title : `${title} (${count})`;
  });
}

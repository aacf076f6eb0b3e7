import type { MetricsRecord } from '../../../contracts/record.ts';
import type { ConfigValue } from '../flatten-config.ts';
import type { MlflowMetric, Pairs } from './mlflow.client.ts';

const MAX_KEY = 250;
const MAX_VALUE = 6000;

/** A name as MLflow takes it: letters, digits, `_ - . space : /`, 250 of them. */
export function mlflowKey(name: string): string {
  return name.replace(/[^\w\-. :/]/g, '_').slice(0, MAX_KEY);
}

/**
 * The values of a record that the server does not have: those of a step beyond the last one of their metric. What it has cannot be changed or taken
 * back, so a step that was trained twice keeps the value that was sent first.
 */
export function newMetrics(record: MetricsRecord, latest: ReadonlyMap<string, number>): MlflowMetric[] {
  const timestamp = Date.parse(record.time);
  return Object.entries(record.values)
    .map(([name, value]) => ({ key: mlflowKey(name), value, timestamp, step: record.step }))
    .filter(({ key, step }) => step > (latest.get(key) ?? Number.NEGATIVE_INFINITY));
}

/**
 * The parameters that a run has to be given: those it lacks, and, since they are never changed, as `attempt<n>/<key>` those that are other ones since
 * a resume.
 */
export function newParams(config: ReadonlyMap<string, ConfigValue>, held: Pairs, attempt: number): Map<string, string> {
  const params = new Map<string, string>();
  for (const [name, value] of config) {
    const key = mlflowKey(name);
    const text = String(value).slice(0, MAX_VALUE);
    const before = held.get(key);
    const changed = mlflowKey(`attempt${attempt}/${name}`);
    if (before === undefined) params.set(key, text);
    else if (before !== text && !held.has(changed)) params.set(changed, text);
  }
  return params;
}

/** Divides what is more than one request may hold. */
export function batchesOf<T>(items: Iterable<T>, size: number): T[][] {
  const all = [...items];
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}

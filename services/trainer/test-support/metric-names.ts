import { expect } from 'vitest';
import { type MetricMethod, metricDefinition, metricDefinitions } from '../../contracts/metrics.ts';
import type { TrainerRecord } from '../../contracts/record.ts';

/** A whole run with evaluations has recorded every metric that METRICS.md promises of its method, and none that it does not know of that method. */
export function expectDocumentedMetrics(records: readonly TrainerRecord[], method: MetricMethod): void {
  const names = new Set(records.flatMap((record) => (record.kind === 'metrics' ? Object.keys(record.values) : [])));
  const unknown = [...names].filter((name) => metricDefinition(name)?.methods.includes(method) !== true);
  expect(unknown, `not defined for ${method} in services/contracts/metrics.ts`).toEqual([]);
  const recorded = [...names].map(metricDefinition);
  const missing = Object.entries(metricDefinitions)
    .filter(([, { methods, when }]) => methods.includes(method) && when === undefined)
    .filter(([, definition]) => !recorded.includes(definition))
    .map(([name]) => name);
  expect(missing, `promised of ${method} in services/contracts/metrics.ts, and not recorded`).toEqual([]);
}

import type { RunStatus } from '../../contracts/run.ts';
import type { Method } from '../../contracts/run-spec.ts';
import type { BindValue, Database } from '../../platform/database.ts';
import type { RunRow } from './run-row.ts';
import { parse, type StoredRun } from './stored-run.ts';

export interface RunFilter {
  status?: RunStatus | undefined;
  method?: Method | undefined;
  label?: { key: string; value: string } | undefined;
  before?: { created_at: number; id: string } | undefined;
  limit: number;
}

/** A page of runs, newest first. */
export function listRuns(db: Database, filter: RunFilter): RunRow[] {
  const conditions: string[] = [];
  const params: Record<string, BindValue> = { limit: filter.limit };
  if (filter.status !== undefined) {
    conditions.push('runs.status = :status');
    params['status'] = filter.status;
  }
  if (filter.method !== undefined) {
    conditions.push('runs.method = :method');
    params['method'] = filter.method;
  }
  if (filter.before !== undefined) {
    const age = filter.label === undefined ? '(runs.created_at, runs.id)' : '(run_labels.created_at, run_labels.run)';
    conditions.push(`${age} < (:created_at, :id)`);
    params['created_at'] = filter.before.created_at;
    params['id'] = filter.before.id;
  }
  let source = 'runs';
  let order = 'runs.created_at DESC, runs.id DESC';
  if (filter.label !== undefined) {
    // The label's own index is walked in order, so that a page costs the same however many runs there are.
    source = 'run_labels CROSS JOIN runs ON runs.id = run_labels.run';
    order = 'run_labels.created_at DESC, run_labels.run DESC';
    conditions.push('run_labels.key = :key AND run_labels.value = :value');
    params['key'] = filter.label.key;
    params['value'] = filter.label.value;
  }
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  return db.all<StoredRun>(`SELECT runs.* FROM ${source} ${where} ORDER BY ${order} LIMIT :limit`, params).map(parse);
}

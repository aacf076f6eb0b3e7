import type { ModelOrigin } from '../../contracts/model-origin.ts';
import type { Method, RunSpec } from '../../contracts/run-spec.ts';
import { hasServer } from './inference-of.ts';
import type { QueueRow } from './run-row.ts';

/** What `SELECT_QUEUE_ROW` answers. */
export type StoredQueueRow = Omit<QueueRow, 'labels' | 'preemptible' | 'stopping' | 'serves' | 'model'> & {
  labels: string;
  method: Method;
  inference: string;
  preemptible: 0 | 1;
  stopping: 0 | 1;
  modelDirectory: string | null;
  modelOrigin: string | null;
};

// Of thousands of runs that wait no spec is read in full, at every round.
export const SELECT_QUEUE_ROW = `SELECT id, name, priority, queued_at AS queuedAt, restart_at AS restartAt, profile, method, labels, started_at AS startedAt,
  stop IS NOT NULL AS stopping, spec -> '$.inference' AS inference, spec ->> '$.inference.vllm.tensor_parallel_size' AS tensorParallel,
  coalesce(spec ->> '$.preemptible', 1) AS preemptible, spec ->> '$.expected_minutes' AS expectedMinutes,
  iif(model_due = 1, model_directory, NULL) AS modelDirectory, iif(model_due = 1, model_origin, NULL) AS modelOrigin FROM runs`;

export function toQueueRow(row: StoredQueueRow): QueueRow {
  const { method, inference, modelDirectory, modelOrigin, ...rest } = row;
  const model =
    modelDirectory === null || modelOrigin === null
      ? null
      : { directory: modelDirectory, origin: JSON.parse(modelOrigin) as ModelOrigin };
  const labels = JSON.parse(row.labels) as Record<string, string>;
  const serves = hasServer({ method, inference: JSON.parse(inference) as RunSpec['inference'] });
  return { ...rest, model, serves, labels, preemptible: row.preemptible === 1, stopping: row.stopping === 1 };
}

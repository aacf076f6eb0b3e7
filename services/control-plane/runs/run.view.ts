import type { WaitingRunView } from '../../contracts/queue.ts';
import type { Reason } from '../../contracts/reason.ts';
import { activeStatuses, type Progress, type Run, type RunSummary } from '../../contracts/run.ts';
import type { AttemptRow, AttemptStore } from '../attempts/attempt.store.ts';
import type { RecordService } from '../records/record.service.ts';
import type { RunRow } from './run-row.ts';

export interface RunViewOptions {
  attempts: Pick<AttemptStore, 'list' | 'view'>;
  records: Pick<RecordService, 'progress' | 'latestEvaluation' | 'engine'>;
  /** Why a run in the queue waits; nothing for one that starts now. */
  waitOf: (run: string) => WaitingRunView | undefined;
}

/** A run as the API shows it. */
export function viewRun(run: RunRow, options: RunViewOptions): Run {
  const attempts = options.attempts.list(run.id);
  return {
    ...viewSummary(run, options),
    attempts: attempts.map((attempt) => ({
      ...options.attempts.view(attempt),
      engine: options.records.engine(run.id, attempt.number),
    })),
    restarts: viewRestarts(run, attempts),
    model_origin: run.model_origin,
    spec: run.spec,
  };
}

function viewRestarts(run: RunRow, attempts: readonly AttemptRow[]): Run['restarts'] {
  const restarted = run.restarts + run.error_restarts > 0;
  // While it waits to be restarted the newest attempt is the one that failed.
  const failed = restarted ? attempts.at(run.restart_at === null ? -2 : -1) : undefined;
  return {
    after_failures: run.restarts,
    after_errors: run.error_restarts,
    attempt: failed?.number ?? null,
    reason: failed?.reason ?? null,
    message: failed?.message ?? null,
    next_at: isoOrNull(run.restart_at),
  };
}

export function viewSummary(run: RunRow, { records, waitOf }: RunViewOptions): RunSummary {
  const wait = run.status === 'queued' ? waitOf(run.id) : undefined;
  return {
    id: run.id,
    name: run.name,
    method: run.method,
    task: run.spec.task,
    status: run.status,
    reason: reasonOf(run, wait),
    message: run.message,
    labels: run.labels,
    priority: run.priority,
    created_at: iso(run.created_at),
    started_at: isoOrNull(run.started_at),
    ended_at: isoOrNull(run.ended_at),
    parent: run.parent_run === null ? null : `${run.parent_run}/checkpoint-${run.parent_step}`,
    output_dir: run.output_dir,
    progress: viewProgress(run, records.progress(run.id)),
    waiting: wait === undefined ? null : { position: wait.position, why: wait.why },
    latest_evaluation: records.latestEvaluation(run.id),
    warnings: run.warnings,
  };
}

/** Where training stands stays true once its trainer is gone; that rollouts are in flight does not. */
function viewProgress({ status }: RunRow, reported: Progress | null): Progress | null {
  const reports = activeStatuses.includes(status) && status !== 'starting';
  return reported === null || reports ? reported : { ...reported, rollouts: null };
}

function reasonOf({ reason }: RunRow, wait: WaitingRunView | undefined): Reason {
  if (wait?.cause === 'model') return 'fetching_model';
  if (reason !== 'submitted' || wait === undefined) return reason;
  return wait.on === 'gpus' ? 'waiting_for_gpus' : 'waiting_for_slot';
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

function isoOrNull(time: number | null): string | null {
  return time === null ? null : iso(time);
}

import type { RunEvent } from '../../contracts/event.ts';
import type { RunStatus } from '../../contracts/run.ts';
import type { Database } from '../../platform/database.ts';
import type { EventStore } from '../events/event.store.ts';
import type { RunStore } from './run.store.ts';
import type { RunRow } from './run-row.ts';

/** Status changes a run can make. `stopping` never goes back to `running`. */
const allowed: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  queued: ['starting', 'paused', 'cancelled', 'failed'],
  starting: ['starting', 'running', 'stopping', 'queued', 'succeeded', 'failed'],
  running: ['stopping', 'queued', 'succeeded', 'failed'],
  stopping: ['stopping', 'queued', 'paused', 'cancelled', 'succeeded', 'failed'],
  paused: ['queued', 'cancelled'],
  succeeded: ['queued'],
  failed: ['queued'],
  cancelled: ['queued'],
};

export interface StatusChange {
  run: string;
  /** The change is made only while the run has one of these. */
  from: readonly RunStatus[];
  to: Pick<RunRow, 'status' | 'reason' | 'message'> & Partial<RunRow>;
  actor: RunEvent['actor'];
  attempt?: number | null;
  data?: Record<string, unknown>;
}

/**
 * Moves a run to a status and writes the event that says so, in one transaction.
 * @returns false, with nothing written, when the run is no longer in one of the `from` statuses
 */
export function changeStatus(
  { db, runs, events }: { db: Database; runs: Pick<RunStore, 'get' | 'update'>; events: Pick<EventStore, 'append'> },
  { run: id, from, to, actor, attempt = null, data = {} }: StatusChange,
): boolean {
  return db.transaction(() => {
    const before = runs.get(id);
    if (before === undefined || !from.includes(before.status)) return false;
    if (!allowed[before.status].includes(to.status)) {
      throw new Error(`${id} cannot go from ${before.status} to ${to.status}`);
    }
    runs.update(id, to, from);
    events.append({
      run: id,
      name: 'status_changed',
      actor,
      attempt,
      status: to.status,
      reason: to.reason,
      message: `${before.status} -> ${to.status}: ${to.message}`,
      data,
    });
    return true;
  });
}

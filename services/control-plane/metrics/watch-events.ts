import type { RunEvent } from '../../contracts/event.ts';
import { endedStatuses } from '../../contracts/run.ts';
import type { EventStore } from '../events/event.store.ts';
import type { EndedStatus, Metrics } from './metrics.ts';

/** Counts what events tell; each is seen once, when it is committed. */
export function watchEvents({
  events,
  queuedAt,
  metrics,
}: {
  events: Pick<EventStore, 'subscribeAll'>;
  /** When the run was queued, ms since the epoch; undefined for one that is gone. */
  queuedAt: (run: string) => number | undefined;
  metrics: Pick<Metrics, 'granted' | 'ended' | 'checkpointed' | 'saveFailed'>;
}): void {
  /** Since when runs wait that this process has seen go back into the queue. */
  const requeued = new Map<string, number>();
  const note = (run: string, { name, attempt, status, time, data }: RunEvent) => {
    if (name === 'status_changed') {
      if (status === 'queued') requeued.set(run, Date.parse(time));
      else if (status !== 'starting') requeued.delete(run);
    }
    if (name === 'attempt_started') {
      const since = requeued.get(run) ?? (attempt === 1 ? queuedAt(run) : undefined);
      requeued.delete(run);
      // A clock that was set back has let nobody wait.
      if (since !== undefined) metrics.granted(Math.max(0, Date.parse(time) - since) / 1000);
    }
    if (name === 'status_changed' && status !== null && endedStatuses.includes(status))
      metrics.ended(status as EndedStatus);
    if (name === 'checkpoint_committed') metrics.checkpointed(Number(data['size'] ?? 0));
    if (name === 'save_failed') metrics.saveFailed();
  };
  events.subscribeAll(note);
}

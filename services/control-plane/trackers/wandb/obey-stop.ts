import type { EventStore } from '../../events/event.store.ts';
import type { RunService } from '../../runs/run.service.ts';
import type { RunStore } from '../../runs/run.store.ts';

const stoppable = ['queued', 'starting', 'running'] as const;

/** Cancels a run because somebody has pressed stop in W&B: it saves a checkpoint first, and can be resumed. One that ends already is left alone. */
export function obeyStop({
  runs,
  events,
  cancel,
}: {
  runs: Pick<RunStore, 'get'>;
  events: Pick<EventStore, 'append'>;
  cancel: RunService['cancel'];
}): (run: string, message: string) => void {
  return (run, message) => {
    const status = runs.get(run)?.status;
    if (!stoppable.some((each) => each === status)) return;
    events.append({ run, name: 'warning', actor: 'user', reason: 'cancel_requested', message });
    cancel(run);
  };
}

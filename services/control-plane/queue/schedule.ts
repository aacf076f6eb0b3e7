/** A run that waits. Times are milliseconds since the epoch. */
export interface QueuedRun {
  id: string;
  /** Higher starts earlier. */
  priority: number;
  queuedAt: number;
  /** After a failure: not before this time. */
  restartAt: number | null;
}

export interface QueueState {
  now: number;
  /** Runs at a time. */
  slots: number;
  /** Runs that hold a slot, also those whose last program has yet to end. */
  busy: readonly string[];
  queued: readonly QueuedRun[];
}

export type Decision =
  | { run: string; action: 'start' }
  /** `position` counts from 1 among the waiting. */
  | { run: string; action: 'wait'; position: number; cause: 'slot' | 'backoff' | 'ending'; why: string };

/**
 * Decides for every queued run whether it starts now, by priority and then age, and says in numbers why the others wait.
 * A run that waits out its backoff keeps a slot, or one that came later would hold it for hours.
 */
export function schedule(state: QueueState): Decision[] {
  const busy = new Set(state.busy);
  const free = Math.max(0, state.slots - state.busy.length);
  const ahead = [...state.busy];
  let left = free;
  let position = 0;

  return [...state.queued].sort(byPriorityThenAge).map((run): Decision => {
    const due = run.restartAt === null || run.restartAt <= state.now;
    const unfinished = busy.has(run.id);
    if (left > 0 && due && !unfinished) {
      left -= 1;
      ahead.push(run.id);
      return { run: run.id, action: 'start' };
    }
    position += 1;
    const wait = (cause: 'slot' | 'backoff' | 'ending', why: string): Decision => {
      return { run: run.id, action: 'wait', position, cause, why };
    };
    if (unfinished) return wait('ending', 'its last programs are still ending');
    const backoff = left > 0 ? run.restartAt : null;
    if (left > 0) left -= 1;
    const why =
      backoff === null
        ? `needs 1 slot, ${free} of ${state.slots} free; behind ${list(ahead)}`
        : explainBackoff(backoff, state.now);
    ahead.push(run.id);
    return wait(backoff === null ? 'slot' : 'backoff', why);
  });
}

function byPriorityThenAge(a: QueuedRun, b: QueuedRun): number {
  return b.priority - a.priority || a.queuedAt - b.queuedAt || (a.id < b.id ? -1 : 1);
}

function explainBackoff(restartAt: number, now: number): string {
  return `restarts in ${Math.ceil((restartAt - now) / 1000)} s after a failure; its slot is kept`;
}

function list(ids: readonly string[]): string {
  const shown = ids.slice(0, 3).join(', ');
  return ids.length > 3 ? `${shown} and ${ids.length - 3} more` : shown;
}

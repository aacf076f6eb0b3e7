import type { TrackerStatus } from '../../contracts/tracker.ts';
import { failureMessage } from './failure-message.ts';
import type { Tracker } from './tracker.ts';

/** What is said of a tracker whose own files cannot be read. `backlog`: the records of the run, since how many of them it shows is not known. */
export function unreadableStatus(
  { kind }: Pick<Tracker, 'kind'>,
  { error, backlog, now }: { error: unknown; backlog: number; now: number },
): TrackerStatus {
  return {
    kind,
    state: 'behind',
    ...{ mode: null, run_id: null, run_name: null, project: null, url: null },
    ...{ last_step: null, last_record: null, backlog, last_sent_at: null },
    last_error: { time: new Date(now).toISOString(), message: explain(error) },
  };
}

/** Errors of the file system name the file, others of trackers also what helps. */
function explain(error: unknown): string {
  const message = failureMessage(error);
  const isSystem = error instanceof Error && 'syscall' in error;
  return isSystem ? `${message}; make it readable for the control plane, or move it away` : message;
}

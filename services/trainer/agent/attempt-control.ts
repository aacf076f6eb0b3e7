import { setMaxListeners } from 'node:events';
import type { LogLevels, RecordsReply } from '../../contracts/agent-operations.ts';

/** What the control plane wants of this attempt, as it is now. */
export interface AttemptControl {
  readonly logLevels: LogLevels;
  /** Aborted once the attempt is to end: save, then exit with 0. */
  readonly stopping: AbortSignal;
  /** Aborted once the attempt is over for the control plane: exit at once, save nothing. */
  readonly closed: AbortSignal;
  /** When the process will be killed, in milliseconds since the epoch; null when not stopping or not said. */
  readonly deadline: number | null;
  /** Whether a checkpoint was asked for since the last call. */
  takeSaveRequest(): boolean;
  heard(reply: RecordsReply): void;
  stop(deadline: number | null): void;
  close(): void;
}

export function createAttemptControl(logLevels: LogLevels): AttemptControl {
  const stopping = new AbortController();
  const closed = new AbortController();
  // Every request in flight listens.
  setMaxListeners(0, stopping.signal, closed.signal);
  let levels = logLevels;
  let deadline: number | null = null;
  let lastWant = 'run';
  let saveRequested = false;

  function stop(until: number | null): void {
    deadline = until ?? deadline;
    stopping.abort(new StopRequested());
  }

  return {
    get logLevels() {
      return levels;
    },
    get deadline() {
      return deadline;
    },
    stopping: stopping.signal,
    closed: closed.signal,
    takeSaveRequest() {
      const asked = saveRequested;
      saveRequested = false;
      return asked;
    },
    heard(reply) {
      levels = reply.log_levels;
      // Replies repeat `save` until the checkpoint is committed: only the change asks for one.
      if (reply.want === 'save' && lastWant !== 'save') saveRequested = true;
      lastWant = reply.want;
      if (reply.want === 'stop') stop(reply.deadline === null ? null : Date.parse(reply.deadline));
    },
    stop,
    close() {
      closed.abort(new AttemptClosed());
      stopping.abort(new StopRequested());
    },
  };
}

/** Thrown out of a step that was given up because the attempt is to stop; nothing of that step has happened. */
export class StopRequested extends Error {
  constructor() {
    super('the attempt was asked to stop');
    this.name = 'StopRequested';
  }
}

/** The control plane has closed this attempt: another one owns the run now. */
export class AttemptClosed extends Error {
  constructor() {
    super('the control plane has closed this attempt');
    this.name = 'AttemptClosed';
  }
}

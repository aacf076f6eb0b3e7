import type { AttemptRow, RoleRow } from '../attempts/attempt.store.ts';
import type { Pulse } from '../records/pulse.ts';
import type { DueModel, RunRow } from '../runs/run-row.ts';
import type { ObservedRole } from '../runtimes/runtime.ts';
import type { QueueObservation } from './observe-queue.ts';

/** How long each thing may take, in milliseconds. */
export interface Limits {
  startTimeoutMs: number;
  /** From a request to stop until TERM. */
  stopDeadlineMs: number;
  /** From TERM until KILL, for a trainer, which saves meanwhile. */
  trainerGraceMs: number;
  /** The same for an inference server, which has nothing to save. */
  inferenceGraceMs: number;
  /** Ends of an inference server within `inferenceWindowMs` that are answered by a new start. */
  inferenceRestarts: number;
  inferenceWindowMs: number;
}

/** One start of a role: what the machine says of it (null: nothing) and what is noted about it (null: nothing yet). */
export interface RoleView {
  observed: ObservedRole | null;
  row: RoleRow | null;
}

/** A run that holds a slot, with its open attempt. */
export interface ActiveRun {
  run: RunRow;
  attempt: AttemptRow;
  trainer: RoleView | null;
  /** Every start of the inference server, oldest first. */
  inference: RoleView[];
  /** Where the newest inference server serves, once it answers. */
  servingAt: string | null;
  /** Whether the trainer has reported at least once. */
  reported: boolean;
  /** How fast it moves; null while it has not reported yet, or has no server to make rollouts with. */
  pulse: Pulse | null;
  /** Milliseconds for which this control plane has watched and seen no progress. */
  silentMs: number;
  /** Milliseconds for which the inference server has been asked for its health and not answered; asked only while there is no progress. */
  deafMs: number;
  /** Whether it has said how it ended, so that its exit is near. */
  finishing: boolean;
  /** How long its attempt may take until both roles answer; then what it holds is given back. */
  readyMs: number;
}

/** What is left on the machine of an attempt that is over. */
export interface Leftover {
  run: string;
  attempt: number;
  /** Whether there is something that its roles shared. */
  shares: boolean;
  roles: RoleView[];
}

/** Everything the plan is made from, read anew each round. Times are milliseconds since the epoch. */
export interface Observation {
  now: number;
  /** Since when this control plane watches; what nobody watched has not been silent. */
  since: number;
  queue: QueueObservation;
  active: ActiveRun[];
  leftovers: Leftover[];
  /** Runs at rest whose tree does not show yet how they ended. */
  filesDue: string[];
  /** Models that runs in the queue wait for. */
  modelsDue: readonly DueModel[];
}

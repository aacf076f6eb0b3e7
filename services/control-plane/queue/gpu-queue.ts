import type { GpuSet } from '../placement/gpu-sets.ts';
import type { Placer } from '../placement/place.ts';
import type { GpuShape } from '../placement/shape.ts';

/** Labels of a run; quotas count by them. */
export type Labels = Readonly<Record<string, string>>;

/** A run that waits for GPUs. Times are milliseconds since the epoch. */
export interface WaitingRun {
  id: string;
  shape: GpuShape;
  /** 0..100, higher starts earlier. */
  priority: number;
  /** Since when it waits; a pause, a preemption and a restart keep it, and with it the run's place. */
  queuedAt: number;
  /** After a failure: not before this time. */
  notBefore: number | null;
  /** How long it will hold its GPUs, in milliseconds; null where nobody knows. */
  estimateMs: number | null;
  /** The run that it has given its GPUs to: while that one waits, this one comes behind it, or it would take them back. */
  after: string | null;
  labels: Labels;
}

/** A run that holds GPUs, also one whose last container has yet to end. */
export interface HoldingRun {
  id: string;
  gpus: GpuSet;
  priority: number;
  startedAt: number;
  /** When it is expected to end; null where nobody knows. */
  endsAt: number | null;
  preemptible: boolean;
  /** Asked to end: its GPUs are free within `stopMs`. */
  stopping: boolean;
  labels: Labels;
}

/** GPUs that the runs with a label may hold at a time: with one value of it, or (null) with each value that has no quota of its own. */
export interface Quota {
  label: string;
  value: string | null;
  gpus: number;
}

export interface SchedulingPolicy {
  /** Waiting so long is worth one point of priority. */
  msPerPoint: number;
  /** Time for a checkpoint and the end of a run that is asked to stop. */
  stopMs: number;
  /** A run is not preempted before it has held its GPUs so long. */
  minRunMs: number;
}

/** What a round decides over; it is never changed. */
export interface GpuQueueState {
  now: number;
  /** GPUs that are free or held by `holding`: healthy, not quarantined, used by nobody else. */
  usable: GpuSet;
  /** GPUs of the host that are kept back; only told. */
  quarantined: number;
  holding: readonly HoldingRun[];
  waiting: readonly WaitingRun[];
  quotas: readonly Quota[];
  policy: SchedulingPolicy;
  placer: Pick<Placer, 'choose' | 'fits'>;
}

/** A point of priority for 10 minutes of waiting: 50 points are made up for in 8 hours 20. */
export const defaultPolicy: SchedulingPolicy = { msPerPoint: 600_000, stopMs: 120_000, minRunMs: 600_000 };

/** GPUs kept for the first run that has to wait. */
export interface Reservation {
  run: string;
  /** When they will be free, by the estimates; null where a run it waits for tells no end. */
  at: number | null;
  /** Empty while `at` is null. */
  gpus: GpuSet;
}

export interface Start {
  run: string;
  gpus: GpuSet;
  /** Started before an earlier run that waits, which it does not delay. */
  past: string | null;
}

/** Why a run waits. `reserved`: its GPUs are free, but kept for another one. */
export type WaitCause =
  | { kind: 'gpus' | 'reserved' }
  | { kind: 'backoff'; until: number }
  | { kind: 'too_large'; usable: number }
  | { kind: 'quota'; quota: Quota; held: number };

export interface Wait {
  run: string;
  /** From 1 among those that wait. */
  position: number;
  cause: WaitCause;
  needs: number;
  /** GPUs that were free when its turn came. */
  free: number;
  /** The run whose reservation it waits behind, null for that one itself and for those that only their quota holds up. */
  behind: string | null;
}

/** Ask this run for a checkpoint and its GPUs. */
export interface Preemption {
  run: string;
  for: string;
}

export interface Round {
  starts: Start[];
  waits: Wait[];
  preemptions: Preemption[];
  reservation: Reservation | null;
}

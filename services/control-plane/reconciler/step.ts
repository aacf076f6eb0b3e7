import type { Reason } from '../../contracts/reason.ts';
import type { LeaseOwner, LeaseRow } from '../leases/lease.store.ts';
import type { GpuStart } from '../queue/queue-desk.ts';
import type { DueModel } from '../runs/run-row.ts';
import type { ObservedRole, RoleIdentity, RoleSignal } from '../runtimes/runtime.ts';

/** What the reconciler can do, and with which arguments. */
export interface StepArguments {
  /** Give a queued run its GPUs, or a slot of the CPU (null), and open its next attempt. */
  grant: { run: string; start: GpuStart | null };
  startRole: { identity: RoleIdentity };
  /** Note what the machine says about a role. */
  noteRole: { role: ObservedRole };
  /** The inference server answers: tell the trainer where. */
  noteServing: { identity: RoleIdentity; url: string };
  /** The trainer has reported for the first time. */
  noteTraining: { run: string; attempt: number };
  signal: { identity: RoleIdentity; signal: RoleSignal; why: string };
  /** Ask the trainer to save and end, because the attempt cannot go on. */
  giveUp: {
    run: string;
    attempt: number;
    reason: Reason;
    message: string;
    deadline: number;
    /** The role whose last words belong to the message. */
    speaker: RoleIdentity | null;
  };
  /** The trainer has ended, or will never start: read what it left, and decide what becomes of the run. */
  endAttempt: { run: string; attempt: number; trainer: ObservedRole | null };
  /** Let the files of the tree of a run at rest say how it ended. */
  finishFiles: { run: string };
  /** Get a model that runs in the queue wait for; `run` is one of them. */
  fetchModel: DueModel;
  releaseGpus: LeaseOwner & { gpus: { gpu: string; index: number }[] };
  markGpu: LeaseOwner & { gpu: string; index: number | null; state: LeaseRow['state']; note: string | null };
  /** Ask a run for its GPUs. */
  preempt: { run: string; by: string };
  /** Remove what an attempt that is over left on the machine. */
  cleanUp: { run: string; attempt: number; identities: RoleIdentity[] };
}

export type StepName = keyof StepArguments;
export type Step = { [N in StepName]: { step: N } & StepArguments[N] }[StepName];

/** The run a step is about. */
export function runOf(step: Step): string {
  if ('identity' in step) return step.identity.run;
  if ('role' in step) return step.role.identity.run;
  return step.run;
}

/**
 * Steps of one lane are taken one at a time, and failures delay their own lane alone. The tree of a run at rest has one beside that of its programs, which
 * are to be ended and removed however long its files take.
 */
export function laneOf(step: Step): string {
  // It goes on for the others when the run that it was begun for is cancelled.
  if (step.step === 'fetchModel') return `model ${step.directory}`;
  return `${runOf(step)}${sideLanes[step.step] ?? ''}`;
}

/** Steps on leases are one transaction each and guarded by epochs: they need not wait for an image that is pulled. */
const sideLanes: Partial<Record<StepName, string>> = {
  finishFiles: ' tree',
  releaseGpus: ' gpus',
  markGpu: ' gpus',
  preempt: ' gpus',
};

export type Executors = { [N in StepName]: (step: StepArguments[N], signal: AbortSignal) => Promise<void> };

/** Takes one step with the executor of its name. `signal` is aborted when it is no longer wanted; one that takes long then ends. */
export async function executeStep(executors: Executors, step: Step, signal: AbortSignal): Promise<void> {
  const execute = executors[step.step] as (step: Step, signal: AbortSignal) => Promise<void>;
  await execute(step, signal);
}

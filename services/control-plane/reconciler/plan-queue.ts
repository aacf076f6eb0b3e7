import type { LeaseChange } from '../leases/judge-leases.ts';
import type { QueueObservation } from './observe-queue.ts';
import type { Step } from './step.ts';

/** What leases that are over give back comes first, then what is taken from runs, then who starts. */
export function planQueue({ leases, starts, cpuStarts, preemptions }: QueueObservation): Step[] {
  return [
    ...leases.map(changeLease),
    ...preemptions.map((preemption): Step => ({ step: 'preempt', run: preemption.run, by: preemption.for })),
    ...starts.map((start): Step => ({ step: 'grant', run: start.run, start })),
    ...cpuStarts.map((run): Step => ({ step: 'grant', run, start: null })),
  ];
}

function changeLease(change: LeaseChange): Step {
  if (change.change === 'release') return { step: 'releaseGpus', ...change.owner, gpus: change.gpus };
  const { owner, gpu, index, state, note } = change;
  return { step: 'markGpu', ...owner, gpu, index, state, note };
}

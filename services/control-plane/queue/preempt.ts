import type { GpuSet } from '../placement/gpu-sets.ts';
import type { GpuQueueState, HoldingRun, WaitingRun } from './gpu-queue.ts';

/**
 * The runs to be asked for their GPUs so that another one fits: of lower priority, preemptible, and not just begun. The least important go first, of those
 * the newest, which lose least; then everyone is spared whose GPUs are not needed after all. Empty where it would not help, or where those that are stopping
 * already make room. Age does not count here: two runs that take turns in waiting would preempt each other for ever.
 */
export function choosePreemptions(
  run: WaitingRun,
  free: GpuSet,
  holding: readonly HoldingRun[],
  { now, policy, placer }: GpuQueueState,
): HoldingRun[] {
  const soon = holding.reduce((set, { stopping, gpus }) => (stopping ? set | gpus : set), free);
  const fits = (victims: readonly HoldingRun[]) => {
    const then = victims.reduce((set, { gpus }) => set | gpus, soon);
    return placer.fits(run.shape, then);
  };
  if (fits([])) return [];
  const candidates = holding
    .filter(
      ({ preemptible, stopping, priority, startedAt }) =>
        preemptible && !stopping && priority < run.priority && now - startedAt >= policy.minRunMs,
    )
    .sort((a, b) => a.priority - b.priority || b.startedAt - a.startedAt || (a.id < b.id ? -1 : 1));
  const enough = candidates.findIndex((_, i) => fits(candidates.slice(0, i + 1)));
  if (enough === -1) return [];
  let victims = candidates.slice(0, enough + 1);
  for (const victim of [...victims].reverse()) {
    const others = victims.filter((each) => each !== victim);
    if (fits(others)) victims = others;
  }
  return victims;
}

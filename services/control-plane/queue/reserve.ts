import type { GpuSet } from '../placement/gpu-sets.ts';
import type { GpuQueueState, HoldingRun, Reservation, WaitingRun } from './gpu-queue.ts';

/**
 * When the first run that has to wait gets its GPUs, and which, if all ends as estimated. A run past its estimate may end at any moment. One that tells no
 * end is taken to hold its GPUs for ever: where the others' do not suffice, there is no time and nothing is kept.
 */
export function reserve(
  run: WaitingRun,
  free: GpuSet,
  holding: readonly HoldingRun[],
  { now, policy, placer }: GpuQueueState,
): Reservation {
  const earliest = Math.max(now, run.notBefore ?? now);
  const ends = holding
    .flatMap((each) => {
      const end = each.stopping ? now + policy.stopMs : each.endsAt;
      return end === null ? [] : [{ at: Math.max(end, now), gpus: each.gpus }];
    })
    .sort((a, b) => a.at - b.at);
  let then = free;
  for (const [i, end] of [{ at: now, gpus: 0 }, ...ends].entries()) {
    then |= end.gpus;
    // Of runs that end together all GPUs are there to choose from; so they are where it has to wait longer anyway.
    const next = ends[i];
    if (next !== undefined && next.at <= Math.max(end.at, earliest)) continue;
    const gpus = placer.choose(run.shape, then);
    if (gpus !== null) return { run: run.id, at: Math.max(end.at, earliest), gpus };
  }
  return { run: run.id, at: null, gpus: 0 };
}

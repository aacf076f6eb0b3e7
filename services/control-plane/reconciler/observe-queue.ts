import type { GpuService } from '../gpus/gpu.service.ts';
import { createGoneWatch } from '../leases/gone.ts';
import { judgeLeases, type LeaseChange } from '../leases/judge-leases.ts';
import type { Preemption } from '../queue/gpu-queue.ts';
import type { GpuStart, QueueDesk } from '../queue/queue-desk.ts';
import type { ActiveRun, Leftover, RoleView } from './observation.ts';

/** How often GPUs that are not clean are looked at again, in milliseconds. */
const RELOOK_MS = 5000;

/** What the queue has decided, and what is to be done with leases. */
export interface QueueObservation {
  leases: readonly LeaseChange[];
  /** Runs that get GPUs now. */
  starts: readonly GpuStart[];
  /** Runs that get a slot of the CPU now. */
  cpuStarts: readonly string[];
  preemptions: readonly Preemption[];
}

export const nothingQueued: QueueObservation = { leases: [], starts: [], cpuStarts: [], preemptions: [] };

export interface QueueWatchOptions {
  desk: Pick<QueueDesk, 'decide' | 'see'>;
  gpus: Pick<GpuService, 'readSoon'>;
  steady: () => number;
}

/**
 * Looks at the queue and the leases once a round. Where something hangs on what the GPUs are like now, a reading is asked for and the round goes on without:
 * its end asks for another one.
 */
export function createQueueWatch({ desk, gpus, steady }: QueueWatchOptions) {
  const gone = createGoneWatch();
  return ({
    active,
    leftovers,
  }: {
    active: readonly ActiveRun[];
    leftovers: readonly Leftover[];
  }): QueueObservation => {
    const ending = leftovers.filter(({ roles }) => roles.some(mayLive));
    desk.see({ ending: new Set(ending.map(({ run }) => run)) });
    const { leases, reading, fresh, starts, cpuStarts, waiting, gpus: line } = desk.decide();
    const there = new Set([
      ...active.map(({ attempt }) => `${attempt.run}.a${attempt.number}`),
      ...ending.map(({ run, attempt }) => `${run}.a${attempt}`),
    ]);
    const now = steady();
    gone.round(leases, ({ run, attempt }) => !there.has(`${run}.a${attempt}`), now);
    const { changes, waitsForReading } = judgeLeases({ leases, goneSince: gone.since, reading, now });
    const preemptions = line?.round.preemptions ?? [];
    const decides = (starts.length > 0 || preemptions.length > 0) && !fresh;
    // One that a program called broken has time until the next reading that there is anyway.
    const waitsToBeClean = leases.some(({ state, suspicion }) => state === 'quarantined' && suspicion === null);
    const unclean = waitsToBeClean && now - (reading?.endedAt ?? 0) >= RELOOK_MS;
    const blind = waiting.some(({ cause }) => cause === 'reading');
    if (waitsForReading || decides || unclean || blind) gpus.readSoon();
    return {
      leases: changes,
      starts: fresh ? starts : [],
      cpuStarts,
      preemptions: fresh ? preemptions : [],
    };
  };
}

export type QueueWatch = ReturnType<typeof createQueueWatch>;

/** What is noted as running counts as running until its end is noted. */
function mayLive({ observed, row }: RoleView): boolean {
  if (row !== null && (row.state === 'starting' || row.state === 'ready')) return true;
  return observed !== null && observed.state !== 'exited' && observed.state !== 'lost';
}

import type { Operations } from '../../contracts/operations.ts';
import type { QueueView } from '../../contracts/queue.ts';
import type { Handlers } from '../api/handlers.ts';
import type { GpuService } from '../gpus/gpu.service.ts';
import { type GpuSet, membersOf, sizeOf } from '../placement/gpu-sets.ts';
import type { GpuHost } from './gpu-host.ts';
import type { HoldingRun, Labels, Quota } from './gpu-queue.ts';
import type { Desk, QueueDesk } from './queue-desk.ts';

export interface QueueHandlerOptions {
  desk: Pick<QueueDesk, 'decide'>;
  gpus: Pick<GpuService, 'inventory'>;
  slots: number;
}

/** Who waits, in order, and why. */
export function createQueueHandlers({
  desk,
  gpus,
  slots,
}: QueueHandlerOptions): Pick<Handlers<Operations>, 'getQueue'> {
  return {
    getQueue: async () => {
      const { gpus: listed, read_at } = await gpus.inventory({ refresh: false });
      return { status: 200, body: viewQueue(desk.decide(), { total: listed.length, read_at, slots }) };
    },
  };
}

function viewQueue(
  desk: Desk,
  { total, read_at, slots }: { total: number; read_at: string | null; slots: number },
): QueueView {
  const { now, host, gpus, waiting, slotsUsed } = desk;
  const reservation = gpus?.round.reservation ?? null;
  const holding = gpus?.state.holding ?? [];
  const free = holding.reduce((set, run) => set & ~run.gpus, host?.usable ?? 0);
  return {
    time: new Date(now).toISOString(),
    waiting,
    reservation: reservation && {
      run: reservation.run,
      at: reservation.at === null ? null : new Date(reservation.at).toISOString(),
      gpus: uuidsOf(reservation.gpus, host),
    },
    holding: holding.map((run) => ({
      run: run.id,
      gpus: uuidsOf(run.gpus, host),
      since: new Date(run.startedAt).toISOString(),
      ends_at: run.endsAt === null ? null : new Date(run.endsAt).toISOString(),
      preemptible: run.preemptible,
      stopping: run.stopping,
    })),
    gpus: {
      total,
      usable: sizeOf(host?.usable ?? 0),
      free: sizeOf(free),
      quarantined: host?.quarantined ?? 0,
      read_at,
    },
    slots: { total: slots, used: slotsUsed },
    quotas: (gpus?.state.quotas ?? []).flatMap((quota) =>
      useOf(quota, gpus?.state.quotas ?? [], holding, gpus?.state.waiting.map(({ labels }) => labels) ?? []),
    ),
  };
}

function uuidsOf(set: GpuSet, host: GpuHost | null): string[] {
  return membersOf(set).flatMap((at) => host?.gpus[at]?.uuid ?? []);
}

/** Each value of the label that a quota counts, with what runs with it hold. */
function useOf(
  { label, value, gpus }: Quota,
  quotas: readonly Quota[],
  holding: readonly HoldingRun[],
  waiting: readonly Labels[],
): QueueView['quotas'] {
  const found = [...holding.map(({ labels }) => labels), ...waiting].flatMap((labels) => labels[label] ?? []);
  const own = quotas.flatMap((quota) => (quota.label === label ? [quota.value] : []));
  const values = value === null ? [...new Set(found)].filter((each) => !own.includes(each)).sort() : [value];
  return values.map((each) => {
    const held = holding.filter(({ labels }) => labels[label] === each).reduce((sum, run) => sum + sizeOf(run.gpus), 0);
    return { label, value: each, gpus, held };
  });
}

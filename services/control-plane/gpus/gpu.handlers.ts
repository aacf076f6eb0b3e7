import type { GpuInventory } from '../../contracts/gpu.ts';
import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from '../api/handlers.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { LeaseRow, LeaseStore } from '../leases/lease.store.ts';
import type { GpuService } from './gpu.service.ts';
import { type ContainerName, nameContainers } from './name-containers.ts';

export interface GpuHandlerOptions {
  gpus: Pick<GpuService, 'inventory' | 'newest'>;
  leases: Pick<LeaseStore, 'all' | 'trust'>;
  /** UUIDs of those that runs may have, and of those that they can have now, with what they hold. */
  leasable: () => { may: ReadonlySet<string>; can: ReadonlySet<string> };
  containerName: ContainerName;
  /** Told that a GPU may be free now. */
  changed: () => void;
}

/** The GPUs of the host, and whose they are. */
export function createGpuHandlers({
  gpus,
  leases,
  leasable,
  containerName,
  changed,
}: GpuHandlerOptions): Pick<Handlers<Operations>, 'listGpus' | 'releaseGpu'> {
  return {
    listGpus: async ({ query }) => {
      const inventory = await gpus.inventory(query);
      const { may, can } = leasable();
      const named = await nameContainers(
        inventory.gpus.flatMap((gpu) => gpu.foreign_processes),
        containerName,
      );
      const rows = new Map(leases.all().map((lease) => [lease.gpu, lease]));
      const body: GpuInventory = {
        ...inventory,
        used_by_runs: may.size > 0,
        gpus: inventory.gpus.map((gpu) => {
          const row = rows.get(gpu.uuid);
          rows.delete(gpu.uuid);
          const processes = gpu.foreign_processes.map(named);
          const lease = row === undefined ? null : viewLease(row, processes);
          return { ...gpu, foreign_processes: lease === null ? processes : [], lease, usable: can.has(gpu.uuid) };
        }),
        problems: [...inventory.problems, ...[...rows.values()].map(tellAbsent)],
      };
      return { status: 200, body };
    },

    releaseGpu: async ({ params: { uuid } }) => {
      if (leases.trust(uuid)) {
        changed();
        return { status: 204 };
      }
      const lease = leases.all().find(({ gpu }) => gpu === uuid);
      if (lease === undefined && !gpus.newest()?.gpus.some((gpu) => gpu.uuid === uuid)) {
        throw new ProblemError('not-found', `There is no GPU ${uuid}; GET /gpus lists those there are.`);
      }
      const why = lease?.state === 'quarantined' ? `: ${lease.note}` : '';
      throw new ProblemError('conflict', `No program has called ${uuid} broken; there is nothing to take back${why}.`);
    },
  };
}

type ListedLease = NonNullable<GpuInventory['gpus'][number]['lease']>;

function viewLease(
  { run, attempt, role, epoch, granted_at, state, note }: LeaseRow,
  processes: ListedLease['processes'],
): ListedLease {
  return { run, attempt, role, epoch, since: new Date(granted_at).toISOString(), state, why: note, processes };
}

function tellAbsent({ gpu, run, attempt, state }: LeaseRow): string {
  return `${gpu} is ${state === 'held' ? 'leased to' : 'quarantined since'} attempt ${attempt} of ${run} and no longer listed; look at nvidia-smi -L and dmesg.`;
}

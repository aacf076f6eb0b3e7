import type { Gpu } from '../../contracts/gpu.ts';
import type { LeaseRow } from '../leases/lease.store.ts';

/**
 * `leased`: held by an attempt. `quarantined`: given back and not clean. `lost`: leased, and no longer listed. Of the others `unusable`: broken, `busy`:
 * somebody else's process is on it, `free`: none of that.
 */
export const gpuStates = ['free', 'leased', 'quarantined', 'busy', 'unusable', 'lost'] as const;
export type GpuState = (typeof gpuStates)[number];

/** How many GPUs are in each state; each is in one. */
export function countGpus(
  gpus: readonly Pick<Gpu, 'uuid' | 'health' | 'foreign_processes'>[],
  leases: readonly Pick<LeaseRow, 'gpu' | 'state'>[],
): Map<GpuState, number> {
  const rows = new Map(leases.map((lease) => [lease.gpu, lease]));
  const counts = new Map<GpuState, number>();
  const add = (state: GpuState) => counts.set(state, (counts.get(state) ?? 0) + 1);
  for (const { uuid, health, foreign_processes } of gpus) {
    const lease = rows.get(uuid);
    rows.delete(uuid);
    if (lease !== undefined) add(lease.state === 'held' ? 'leased' : 'quarantined');
    else if (health.verdict === 'unusable') add('unusable');
    else add(foreign_processes.length > 0 ? 'busy' : 'free');
  }
  for (const _absent of rows) add('lost');
  return counts;
}

import type { GpuService } from '../gpus/gpu.service.ts';
import { leasableMap } from '../queue/gpu-host.ts';
import type { GpuProfiles } from './gpu-profiles.ts';
import type { Host } from './placement.ts';

export interface ReadHostOptions {
  gpus: Pick<GpuService, 'inventory'>;
  profiles: GpuProfiles;
  /** What `CUDA_VISIBLE_DEVICES` leaves; null: all. */
  visible: readonly string[] | null;
  vllmApiBase: string | null;
  runtime: Host['runtime'];
  sharesAdapters: boolean;
  trainerImages: Host['trainerImages'];
}

/** The host as specs are checked against it. Waits for the first reading of the GPUs, for later ones never. */
export async function readHost(options: ReadHostOptions): Promise<Host> {
  const { gpus, profiles, visible, vllmApiBase, runtime, sharesAdapters, trainerImages } = options;
  const inventory = await gpus.inventory({ refresh: false });
  const map = leasableMap(inventory, visible);
  const has = visible === null ? 'this host has' : 'CUDA_VISIBLE_DEVICES of the control plane leaves';
  const unread = inventory.source !== 'none' && inventory.read_at === null ? inventory.problems.join(' ') : null;
  return { gpus: map.gpus, has, unread, profiles, vllmApiBase, runtime, sharesAdapters, trainerImages };
}

import type { GpuReading } from '../gpus/gpu-source.ts';
import { findDirt } from '../leases/clean-gpu.ts';
import type { LeaseRow } from '../leases/lease.store.ts';
import type { GpuMap, PlaceableGpu } from '../placement/gpu-map.ts';
import { type GpuSet, MOST_GPUS, setOf } from '../placement/gpu-sets.ts';
import { createPlacer, type Placer } from '../placement/place.ts';
import { readGpuMap } from '../placement/read-gpu-map.ts';

/** The GPUs that runs of this control plane may have, and which of them they can have now. */
export interface GpuHost {
  /** By index; bit i of a set is the i-th of them. */
  gpus: readonly PlaceableGpu[];
  placer: Placer;
  /** Free or held: healthy, not quarantined, used by nobody else. */
  usable: GpuSet;
  /** Healthy, which those that are held may not be any more. */
  healthy: GpuSet;
  quarantined: number;
}

/** Whether `CUDA_VISIBLE_DEVICES` of the control plane lets a GPU be leased; it names indices, as nvidia-smi counts, or beginnings of UUIDs. */
export function isVisible(
  { uuid, index }: { uuid: string; index: number },
  visible: readonly string[] | null,
): boolean {
  return (
    visible === null || visible.some((name) => (/^\d+$/.test(name) ? Number(name) === index : uuid.startsWith(name)))
  );
}

/** The map of what may be leased. A set holds 31 GPUs; what a host has beyond is left alone. */
export function leasableMap(reading: Pick<GpuReading, 'gpus' | 'links'>, visible: readonly string[] | null): GpuMap {
  const map = readGpuMap(reading);
  const gpus = map.gpus.filter((gpu) => isVisible(gpu, visible)).sort((a, b) => a.index - b.index);
  return { ...map, gpus: gpus.slice(0, MOST_GPUS) };
}

/** Reads hosts; the placer, which remembers its answers, is kept for as long as the map is the same. */
export function createHostReader(visible: readonly string[] | null) {
  let known: { key: string; placer: Placer } | null = null;
  return (reading: Pick<GpuReading, 'gpus' | 'links'>, leases: readonly LeaseRow[]): GpuHost => {
    const map = leasableMap(reading, visible);
    const key = JSON.stringify([map.gpus, reading.links]);
    if (known?.key !== key) known = { key, placer: createPlacer(map) };
    const stateOf = new Map(leases.map(({ gpu, state }) => [gpu, state]));
    const where = (holds: (gpu: PlaceableGpu) => boolean) =>
      setOf(map.gpus.flatMap((gpu, at) => (holds(gpu) ? [at] : [])));
    const healthy = where((gpu) => gpu.healthy);
    return {
      gpus: map.gpus,
      placer: known.placer,
      healthy,
      usable:
        healthy &
        where(({ uuid }) => {
          const state = stateOf.get(uuid);
          return (
            state === 'held' ||
            (state === undefined && findDirt(reading.gpus.find((gpu) => gpu.uuid === uuid)) === null)
          );
        }),
      quarantined: map.gpus.filter(({ uuid }) => stateOf.get(uuid) === 'quarantined').length,
    };
  };
}

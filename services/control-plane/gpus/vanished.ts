import type { Gpu } from '../../contracts/gpu.ts';
import type { GpuReading } from './gpu-source.ts';
import type { LostGpu } from './read-lists.ts';

const REMEDY = 'Reboot the host, and replace the GPU if that does not help.';

/**
 * The reading, with the GPUs that were there before and are no more: unusable, with nothing on them. One that is back under its UUID is as it was read.
 * A GPU that was taken out is forgotten when the control plane starts anew.
 */
export function keepVanished(before: readonly Gpu[], reading: GpuReading): GpuReading {
  const there = new Set(reading.gpus.map(({ uuid }) => uuid));
  const gone = before
    .filter(({ uuid }) => !there.has(uuid))
    .map((gpu) => broken(gpu, 'nvidia-smi no longer lists it.'));
  return { ...reading, gpus: [...reading.gpus, ...gone].sort((a, b) => a.index - b.index) };
}

/** The GPUs of the last reading, when the next one failed and named some that are out of reach. */
export function withoutLost(gpus: readonly Gpu[], lost: readonly LostGpu[]): Gpu[] {
  return gpus.map((gpu) => {
    const found = lost.find(({ pciBusId }) => pciBusId === gpu.pci_bus_id);
    return found === undefined ? gpu : broken(gpu, `The driver cannot reach it (${found.why}).`);
  });
}

function broken(gpu: Gpu, why: string): Gpu {
  return {
    ...gpu,
    memory_used_mib: null,
    foreign_processes: [],
    health: { verdict: 'unusable', findings: [{ verdict: 'unusable', why, remedy: REMEDY }] },
  };
}

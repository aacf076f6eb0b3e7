import type { GpuProfile } from '../../contracts/gpu-profile.ts';
import type { GpuShape } from './shape.ts';

/** What a spec sets in place of its profile. */
export interface ShapeOverrides {
  /** False for a run that has no server of its own: it takes the trainer's GPUs alone. */
  serves: boolean;
  /** `inference.vllm.tensor_parallel_size`; null as the profile says. */
  tensorParallel: number | null;
}

/** What a run with a profile needs of a host; null where it needs no GPU. */
export function shapeOf(profile: GpuProfile, { serves, tensorParallel }: ShapeOverrides): GpuShape | null {
  if (profile.mode === 'none') return null;
  const { inference, trainer } = profile;
  const memoryMiB = profile.gpu_memory_gib * 1024;
  if (!serves) return { mode: 'split', trainer: trainer.gpus, inference: 0, tensorParallel: 1, memoryMiB };
  return {
    mode: profile.mode,
    trainer: trainer.gpus,
    inference: inference.gpus,
    tensorParallel: tensorParallel ?? inference.tensor_parallel_size,
    memoryMiB,
  };
}

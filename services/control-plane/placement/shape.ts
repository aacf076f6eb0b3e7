/** What a role takes: so many GPUs, or those with these indices. */
export type RoleGpus = number | readonly number[];

/** What a run needs of a host. `shared`: one set for both roles, which want the same. */
export interface GpuShape {
  mode: 'split' | 'shared';
  trainer: RoleGpus;
  inference: RoleGpus;
  /** GPUs of one tensor-parallel group; divides those of the inference server. */
  tensorParallel: number;
  /** Memory that each GPU must have at least, in MiB. */
  memoryMiB: number;
}

export function countOf(gpus: RoleGpus): number {
  return typeof gpus === 'number' ? gpus : gpus.length;
}

/** GPUs that a shape takes from a host. */
export function gpusOf({ mode, trainer, inference }: GpuShape): number {
  return mode === 'shared' ? countOf(trainer) : countOf(trainer) + countOf(inference);
}

/** The indices that a shape insists on, each once, ascending. */
export function fixedOf({ trainer, inference }: GpuShape): number[] {
  const fixed = [trainer, inference].flatMap((role) => (typeof role === 'number' ? [] : role));
  return [...new Set(fixed)].sort((a, b) => a - b);
}

/** Equal for shapes that are placed alike. */
export function shapeKey({ mode, trainer, inference, tensorParallel, memoryMiB }: GpuShape): string {
  return JSON.stringify([mode, trainer, inference, tensorParallel, memoryMiB]);
}

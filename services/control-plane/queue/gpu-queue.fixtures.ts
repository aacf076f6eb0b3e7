import { type GpuSet, lowest, setOf, sizeOf } from '../placement/gpu-sets.ts';
import { fixedOf, type GpuShape, gpusOf } from '../placement/shape.ts';
import { defaultPolicy, type GpuQueueState, type HoldingRun, type WaitingRun } from './gpu-queue.ts';

export const MINUTE = 60_000;

/** GPUs for the trainer alone: as many, or those with these indices. */
export function needing(gpus: number | readonly number[]): GpuShape {
  return { mode: 'split', trainer: gpus, inference: 0, tensorParallel: 1, memoryMiB: 0 };
}

/** A host whose GPUs are all alike: fixed ones, and then the lowest. */
export function chooseLowest(shape: GpuShape, free: GpuSet): GpuSet | null {
  const fixed = setOf(fixedOf(shape));
  if ((fixed & ~free) !== 0 || sizeOf(free) < gpusOf(shape)) return null;
  return fixed | lowest(free & ~fixed, gpusOf(shape) - sizeOf(fixed));
}

export function waiting(id: string, gpus: number | readonly number[], change: Partial<WaitingRun> = {}): WaitingRun {
  const shape = needing(gpus);
  return {
    id,
    shape,
    priority: 50,
    queuedAt: 0,
    notBefore: null,
    estimateMs: null,
    after: null,
    labels: {},
    ...change,
  };
}

export function holding(id: string, gpus: readonly number[], change: Partial<HoldingRun> = {}): HoldingRun {
  const rest = { priority: 50, startedAt: -60 * MINUTE, endsAt: null, preemptible: true, stopping: false, labels: {} };
  return { id, gpus: setOf(gpus), ...rest, ...change };
}

/** Eight GPUs at time 0. */
export function queueState(change: Partial<GpuQueueState> = {}): GpuQueueState {
  return {
    now: 0,
    usable: 0b1111_1111,
    quarantined: 0,
    holding: [],
    waiting: [],
    quotas: [],
    policy: defaultPolicy,
    placer: { choose: chooseLowest, fits: (shape, free) => chooseLowest(shape, free) !== null },
    ...change,
  };
}

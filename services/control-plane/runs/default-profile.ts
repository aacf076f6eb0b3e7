import type { RunSpec } from '../../contracts/run-spec.ts';
import type { PlaceableGpu } from '../placement/gpu-map.ts';
import type { GpuProfiles } from './gpu-profiles.ts';

export const CPU_PROFILE = 'cpu';

/** The plans for a number of GPUs, the largest first. */
const PLANS = [
  { gpus: 8, profile: 'split-8' },
  { gpus: 4, profile: 'split-4' },
  { gpus: 2, profile: 'split-2' },
  { gpus: 1, profile: 'shared-1' },
] as const;

/**
 * The profile of a spec that names none: the recommended plan for the GPUs of the host, as far as its programs can use it. The tfjs trainer and the embedded
 * server compute on the CPU, so a run of those two takes no GPU from anyone unless it says so.
 */
export function defaultProfile(
  spec: RunSpec,
  { gpus, profiles }: { gpus: readonly PlaceableGpu[]; profiles: GpuProfiles },
): string {
  const serves = spec.method === 'grpo' && spec.inference.backend === 'vllm';
  if (spec.trainer === 'tfjs' && !serves) return CPU_PROFILE;
  // One GPU is all that the tfjs trainer takes.
  const most = spec.trainer === 'tfjs' ? 2 : Number.POSITIVE_INFINITY;
  const plan = PLANS.find((each) => each.gpus <= Math.min(gpus.length, most) && profiles.has(each.profile));
  return plan?.profile ?? CPU_PROFILE;
}

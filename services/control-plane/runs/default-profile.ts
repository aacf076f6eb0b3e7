import type { RunSpec } from '../../contracts/run-spec.ts';
import { mayServe } from './choose-inference.ts';
import type { Host } from './placement.ts';
import { CPU_PROFILE, fitsHost } from './refuse-profile.ts';

/** The plans for a host with GPUs, the recommended one for eight of them first (requirement L1). */
const PLANS = ['split-8', 'split-4', 'split-2', 'shared-1'];

/**
 * The profile of a spec that names none: the first plan that the host has the GPUs for and that its programs use whole. The tfjs trainer and the embedded
 * server compute on the CPU, so a run of those two takes no GPU from anyone unless it says so.
 */
export function defaultProfile(spec: RunSpec, host: Host): string {
  const byVllm = mayServe(spec, host);
  if (spec.trainer === 'tfjs' && !byVllm) return CPU_PROFILE;
  const { inference } = spec;
  const served: RunSpec = byVllm ? { ...spec, inference: { ...inference, backend: 'vllm' } } : spec;
  return PLANS.find((name) => fitsHost(host.profiles.get(name), served, host)) ?? CPU_PROFILE;
}

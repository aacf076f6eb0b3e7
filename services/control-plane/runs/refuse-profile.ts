import { gpuCount, refuseBudgets } from '../../contracts/check-gpu-profile.ts';
import type { GpuProfile } from '../../contracts/gpu-profile.ts';
import type { SpecIssue } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { explainNeverFits } from '../placement/explain.ts';
import { shapeOf } from '../placement/shape-of.ts';
import { hasServer, inferenceOf } from './inference-of.ts';
import type { Host } from './placement.ts';

export const CPU_PROFILE = 'cpu';

/** Why this host can never run a spec with its profile, each with the arithmetic. */
export function refuseProfile(name: string, profile: GpuProfile | undefined, spec: RunSpec, host: Host): SpecIssue[] {
  const path = 'gpu_profile';
  if (profile === undefined) {
    return [{ path, message: `there is no profile ${name}; known are ${[...host.profiles.keys()].join(', ')}` }];
  }
  const wide = refuseWidth(profile, spec) ?? refuseOverlap(profile, spec);
  return [...(wide === null ? refuseSize(profile, spec, host) : [wide]), ...refuseOverrides(profile, spec)];
}

/** What its programs would leave idle. */
function refuseWidth({ name, trainer, inference }: GpuProfile, spec: RunSpec): SpecIssue | null {
  const path = 'gpu_profile';
  const width = gpuCount(trainer.gpus);
  if (spec.trainer === 'tfjs' && width > 1) {
    const message = `${name} gives the trainer ${width} GPUs, the tfjs trainer uses one; trainers for more are areal and trl`;
    return { path, message };
  }
  const served = gpuCount(inference.gpus);
  if (inferenceOf(spec).kind === 'embedded' && served > 1) {
    const message = `${name} gives the server ${served} GPUs, the embedded server uses one; vllm (inference.backend) uses more`;
    return { path, message };
  }
  return null;
}

/** Rollouts beside training, where only one of them has the GPUs at a time. */
function refuseOverlap({ name, hand_off }: GpuProfile, { method, rollout }: RunSpec): SpecIssue | null {
  const { max_staleness: staleness } = rollout;
  if (hand_off !== 'sleep' || method !== 'grpo' || staleness === 0) return null;
  const message = `${staleness} lets rollouts go on while the policy is trained, and ${name} hands its GPUs from one to the other; set it to 0, or choose a split profile`;
  return { path: 'rollout.max_staleness', message };
}

/** What the spec sets in place of the profile, against what the profile gives. */
function refuseOverrides({ name, mode, inference, trainer, hand_off }: GpuProfile, spec: RunSpec): SpecIssue[] {
  if (inferenceOf(spec).kind !== 'vllm') return [];
  const { tensor_parallel_size: size, gpu_memory_utilization: share } = spec.inference.vllm;
  const count = gpuCount(inference.gpus);
  const budgets = mode === 'shared' && share !== null;
  const refusal = budgets ? refuseBudgets(share, trainer.gpu_memory_utilization ?? 0, hand_off) : null;
  const groups = `groups of ${size} do not divide the ${count} GPUs that ${name} gives the server; leave it out to use ${inference.tensor_parallel_size}`;
  return [
    ...(size === null || count % size === 0 ? [] : [{ path: 'inference.vllm.tensor_parallel_size', message: groups }]),
    ...(refusal === null ? [] : [{ path: 'inference.vllm.gpu_memory_utilization', message: refusal }]),
  ];
}

function refuseSize(profile: GpuProfile, spec: RunSpec, host: Host): SpecIssue[] {
  if (host.unread !== null && profile.mode !== 'none') {
    return [
      { path: 'gpu_profile', message: `${profile.name} needs GPUs, which could not be read yet: ${host.unread}` },
    ];
  }
  const why = whyNever(profile, spec, host);
  return why === null ? [] : [{ path: 'gpu_profile', message: `${profile.name} ${why}; ${remedy(spec, host)}` }];
}

/** A server of the user's own needs no GPU here. */
function whyNever(profile: GpuProfile, spec: RunSpec, { gpus, has }: Host): string | null {
  const tensorParallel = spec.inference.vllm.tensor_parallel_size;
  const shape = shapeOf(profile, { serves: hasServer(spec), tensorParallel });
  return shape === null ? null : explainNeverFits(shape, gpus, has);
}

/** Whether a run could have a profile here. */
export function fitsHost(profile: GpuProfile | undefined, spec: RunSpec, host: Host): boolean {
  if (profile === undefined || (refuseWidth(profile, spec) ?? refuseOverlap(profile, spec)) !== null) return false;
  return whyNever(profile, spec, host) === null;
}

/** The profiles that the run could have here; the CPU where there are none. */
function remedy(spec: RunSpec, host: Host): string {
  const fitting = [...host.profiles.values()].filter((each) => each.mode !== 'none' && fitsHost(each, spec, host));
  if (fitting.length === 0) return `leave gpu_profile out to use ${CPU_PROFILE}`;
  return `here fit ${fitting.map(({ name }) => name).join(', ')}`;
}

import type { GpuProfile } from '../../contracts/gpu-profile.ts';
import type { SpecIssue } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import type { PlaceableGpu } from '../placement/gpu-map.ts';
import type { GpuProfiles } from './gpu-profiles.ts';
import { CPU_PROFILE, RUNS_HAVE, refuseProfile } from './refuse-profile.ts';

const MANAGED_API_BASE = 'http://localhost:8000/v1';

export interface Host {
  /** Those that runs may use. */
  gpus: readonly PlaceableGpu[];
  profiles: GpuProfiles;
  /** `VLLM_API_BASE`; wins over the spec. */
  vllmApiBase: string | null;
  /** Images of trainers that runs may name; null where roles are not containers. */
  trainerImages: readonly string[] | null;
}

/** Where a run would go, or everything that keeps it from going anywhere. */
export type Placement = { ok: true; profile: GpuProfile } | { ok: false; refusals: SpecIssue[] };

/** Whether this host can run a spec, with the arithmetic where it cannot. */
export function placeRun(spec: RunSpec, host: Host): Placement {
  const name = spec.gpu_profile ?? CPU_PROFILE;
  const profile = host.profiles.get(name);
  const refusals = [
    ...refuseProfile(name, profile, spec, host),
    ...(spec.trainer === 'image' ? refuseTrainerImage(spec, host) : refuseTrainer(spec)),
    ...(spec.method === 'grpo' ? [...refuseInference(spec, host), ...refuseRollouts(spec)] : []),
  ];
  return profile !== undefined && refusals.length === 0 ? { ok: true, profile } : { ok: false, refusals };
}

/** What such a trainer can do is its own affair; what may be started on this host is not. */
function refuseTrainerImage({ trainer_image: image }: RunSpec, { trainerImages: allowed }: Host): SpecIssue[] {
  if (allowed === null) {
    const message =
      'is started as a container, and here runs are processes; start the control plane with TANDEM_RUNTIME=docker';
    return [{ path: 'trainer', message }];
  }
  if (image !== null && allowed.includes(image)) return [];
  const named = image === null ? 'is needed with trainer: image' : `${image} may not be started here`;
  const choice =
    allowed.length === 0
      ? 'TANDEM_TRAINER_IMAGES, which says what may, is empty'
      : `choose one of ${allowed.join(', ')}`;
  return [{ path: 'trainer_image', message: `${named}; ${choice}` }];
}

function refuseTrainer(spec: RunSpec): SpecIssue[] {
  const refusals: SpecIssue[] = [];
  if (spec.trainer_image !== null) {
    const message = `is not used by trainer: ${spec.trainer}; leave it out, or set trainer: image`;
    refusals.push({ path: 'trainer_image', message });
  }
  if (spec.trainer !== 'tfjs') {
    const message = `${spec.trainer} is a container image for GPUs, which this build does not start; leave trainer out to use tfjs`;
    refusals.push({ path: 'trainer', message });
  }
  if (spec.method === 'dpo') {
    refusals.push({ path: 'method', message: 'the tfjs trainer of this build has no dpo; it has sft and grpo' });
  }
  if (spec.model.use_4bit) {
    const message =
      'the tfjs trainer keeps weights in float32, 4 bits need a trainer on GPUs; set model.use_4bit: false';
    refusals.push({ path: 'model.use_4bit', message });
  }
  return refusals;
}

function refuseInference({ inference: { backend, vllm } }: RunSpec, host: Host): SpecIssue[] {
  const refusals: SpecIssue[] = [];
  const external = 'this build uses the server it starts itself';
  if (host.vllmApiBase !== null) {
    const message = `VLLM_API_BASE is set to a server of your own, ${external}; start the control plane without it`;
    refusals.push({ path: 'inference.vllm.api_base', message });
  } else if (vllm.api_base !== MANAGED_API_BASE) {
    const message = `names a server of your own, ${external}; leave it out`;
    refusals.push({ path: 'inference.vllm.api_base', message });
  }
  if (vllm.managed === false) {
    refusals.push({
      path: 'inference.vllm.managed',
      message: `false means a server of your own, ${external}; leave it out`,
    });
  }
  const wanted = vllm.tensor_parallel_size ?? 1;
  if (backend === 'vllm' && wanted <= host.gpus.length) {
    const message =
      'vllm is a container image, which this build does not start; leave it out to use the embedded server';
    refusals.push({ path: 'inference.backend', message });
  } else if (backend === 'vllm') {
    const message = `vllm needs at least ${wanted} GPU${wanted > 1 ? 's' : ''}, ${RUNS_HAVE} ${host.gpus.length}; leave inference.backend out to use the embedded server`;
    refusals.push({ path: 'inference.backend', message });
  } else if (wanted > 1 && wanted > host.gpus.length) {
    const message = `${wanted} needs ${wanted} GPUs, ${RUNS_HAVE} ${host.gpus.length}; leave it out`;
    refusals.push({ path: 'inference.vllm.tensor_parallel_size', message });
  }
  return refusals;
}

function refuseRollouts({ rollout, environment }: RunSpec): SpecIssue[] {
  if (rollout.max_turns <= 1) return [];
  const message = `${rollout.max_turns} turns need an environment with turns, ${environment.type} has one; set rollout.max_turns: 1`;
  return [{ path: 'rollout.max_turns', message }];
}

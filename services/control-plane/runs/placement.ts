import type { GpuProfile } from '../../contracts/gpu-profile.ts';
import type { SpecIssue } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import type { PlaceableGpu } from '../placement/gpu-map.ts';
import { refuseInference, warnOfApiBase, withApiBase, withBackend } from './choose-inference.ts';
import { defaultProfile } from './default-profile.ts';
import type { GpuProfiles } from './gpu-profiles.ts';
import { refuseProfile } from './refuse-profile.ts';

export interface Host {
  /** Those that runs may use, whatever is leased. */
  gpus: readonly PlaceableGpu[];
  /** How many of them there are, as the beginning of a clause. */
  has: string;
  /** Why the GPUs are not known, where they are not. */
  unread: string | null;
  profiles: GpuProfiles;
  /** `VLLM_API_BASE`; wins over the spec. */
  vllmApiBase: string | null;
  /** What starts programs: vLLM runs in containers alone. */
  runtime: 'process' | 'docker';
  /** Whether a server of the user's own can read what trainers write. */
  sharesAdapters: boolean;
  /** Images of trainers that runs may name; null where roles are not containers. */
  trainerImages: readonly string[] | null;
}

/** Where a run would go, and its spec with everything that the host decides, or everything that keeps it from going anywhere. */
export type Placement =
  | { ok: true; profile: GpuProfile; spec: RunSpec; warnings: string[] }
  | { ok: false; refusals: SpecIssue[] };

/** Whether this host can run a spec, with the arithmetic where it cannot. */
export function placeRun(written: RunSpec, host: Host): Placement {
  const addressed = withApiBase(written, host);
  const name = addressed.gpu_profile ?? defaultProfile(addressed, host);
  const profile = host.profiles.get(name);
  const spec = withBackend(addressed, profile, host);
  const refusals = [
    ...refuseProfile(name, profile, spec, host),
    ...(spec.trainer === 'image' ? refuseTrainerImage(spec, host) : refuseTrainer(spec)),
    ...(spec.method === 'grpo' ? [...refuseInference(spec, profile, host), ...refuseRollouts(spec)] : []),
  ];
  if (profile === undefined || refusals.length > 0) return { ok: false, refusals };
  return { ok: true, profile, spec, warnings: warnOfApiBase(written, host) };
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
  return refusals;
}

function refuseRollouts({ rollout, environment }: RunSpec): SpecIssue[] {
  if (rollout.max_turns <= 1) return [];
  const message = `${rollout.max_turns} turns need an environment with turns, ${environment.type} has one; set rollout.max_turns: 1`;
  return [{ path: 'rollout.max_turns', message }];
}

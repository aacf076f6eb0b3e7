import type { GpuProfile } from '../../contracts/gpu-profile.ts';
import type { SpecIssue } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { refuseUrl } from '../../platform/address-policy.ts';
import { HOST_ALIAS } from '../runtimes/docker/places.ts';
import { inferenceOf, MANAGED_API_BASE, withoutSlash } from './inference-of.ts';
import type { Host } from './placement.ts';

type InferenceHost = Pick<Host, 'gpus' | 'has' | 'vllmApiBase' | 'runtime' | 'sharesAdapters'>;
/** The names of a machine for itself, by which a container means none but itself. */
const LOOPBACK = /^(localhost|.*\.localhost|127\..*|\[::1\]|\[::ffff:7f.*\])$/;

/** The address that counts: `VLLM_API_BASE` wins over the spec. */
export function withApiBase(spec: RunSpec, { vllmApiBase }: Pick<Host, 'vllmApiBase'>): RunSpec {
  if (spec.method !== 'grpo') return spec;
  const { vllm } = spec.inference;
  const api_base = withoutSlash(vllmApiBase ?? vllm.api_base);
  const managed = vllmApiBase === null ? vllm.managed : false;
  return { ...spec, inference: { ...spec.inference, vllm: { ...vllm, api_base, managed } } };
}

/** The server that is started for a spec that names none: vLLM where it can run, else the embedded one. Written down, so that a resume has the same. */
export function withBackend(spec: RunSpec, profile: GpuProfile | undefined, host: InferenceHost): RunSpec {
  if (spec.method !== 'grpo' || spec.inference.backend !== null) return spec;
  if (inferenceOf(spec).kind === 'external') return spec;
  const backend = mayServe(spec, host) && profile?.mode !== 'none' ? 'vllm' : 'embedded';
  return { ...spec, inference: { ...spec.inference, backend } };
}

/** Whether vLLM would serve the run if it got GPUs. */
export function mayServe(spec: RunSpec, { gpus, runtime }: InferenceHost): boolean {
  const { kind } = inferenceOf({
    ...spec,
    inference: { ...spec.inference, backend: spec.inference.backend ?? 'vllm' },
  });
  return kind === 'vllm' && runtime === 'docker' && gpus.length > 0 && spec.model.use_lora;
}

/** Said with the run when the environment has decided. */
export function warnOfApiBase(written: RunSpec, { vllmApiBase }: Pick<Host, 'vllmApiBase'>): string[] {
  if (written.method !== 'grpo' || vllmApiBase === null) return [];
  const { api_base: url, managed } = written.inference.vllm;
  const other = withoutSlash(url) === MANAGED_API_BASE ? '' : `, not those of inference.vllm.api_base (${url})`;
  const unmanaged = managed === true ? '; inference.vllm.managed: true has no effect' : '';
  return [`VLLM_API_BASE is set: rollouts come from ${withoutSlash(vllmApiBase)}${other}${unmanaged}`];
}

/** Why this host cannot serve a run, after `withApiBase` and `withBackend`. */
export function refuseInference(spec: RunSpec, profile: GpuProfile | undefined, host: InferenceHost): SpecIssue[] {
  const inference = inferenceOf(spec);
  const { vllm } = spec.inference;
  const refusals: SpecIssue[] = [];
  const refuse = (path: string, message: string) => void refusals.push({ path, message });
  if (vllm.managed === true && vllm.api_base !== MANAGED_API_BASE) {
    const message = `true means the server that Tandem starts, but inference.vllm.api_base names one of your own (${vllm.api_base}); leave one of them out`;
    refuse('inference.vllm.managed', message);
  }
  if (inference.kind === 'external') refuseOwn(inference.url, host, refuse);
  if (inference.kind === 'vllm') refuseVllm(spec, profile, host, refuse);
  const byVllm = inference.kind === 'vllm' || (inference.kind === 'external' && inference.program === 'vllm');
  if (byVllm && !spec.model.use_lora) {
    const remedy = inference.kind === 'vllm' ? 'leave inference.backend out' : 'leave inference.vllm.api_base out';
    refuse('model.use_lora', `vLLM takes new weights as LoRA adapters only; set it to true, or ${remedy}`);
  }
  const size = vllm.tensor_parallel_size ?? 1;
  if (inference.kind === 'embedded' && size > 1 && size > host.gpus.length) {
    refuse(
      'inference.vllm.tensor_parallel_size',
      `${size} needs ${size} GPUs, ${host.has} ${host.gpus.length}; leave it out`,
    );
  }
  return refusals;
}

type Refuse = (path: string, message: string) => void;

function refuseOwn(url: string, { vllmApiBase, runtime, sharesAdapters }: InferenceHost, refuse: Refuse): void {
  const named = vllmApiBase === null ? '' : `VLLM_API_BASE (${vllmApiBase}) `;
  const wrong = refuseUrl(url) ?? (/\/v1$/.test(new URL(url).pathname) ? null : 'must end in /v1');
  if (wrong !== null) refuse('inference.vllm.api_base', `${named}${wrong}`);
  if (!sharesAdapters) {
    const message = `${named}names a server of your own, which cannot read the adapters in the volume of a container; leave it out, or start the control plane with TANDEM_ADAPTERS_DIR, a directory of the host that the server sees under the same path`;
    refuse('inference.vllm.api_base', message);
  } else if (wrong === null && runtime === 'docker' && LOOPBACK.test(new URL(url).hostname)) {
    const message = `${named}is, seen from the trainer's container, the container itself; write ${HOST_ALIAS} for this host (${url.replace(/\/\/(\[.*?\]|[^:/]+)/, `//${HOST_ALIAS}`)}), and let the server listen on an address that containers reach, such as 0.0.0.0`;
    refuse('inference.vllm.api_base', message);
  }
}

function refuseVllm(spec: RunSpec, profile: GpuProfile | undefined, host: InferenceHost, refuse: Refuse): void {
  const wanted = spec.inference.vllm.tensor_parallel_size ?? 1;
  const path = 'inference.backend';
  const otherwise =
    'leave inference.backend out to use the embedded server, or name a server of your own in inference.vllm.api_base';
  if (host.gpus.length < wanted) {
    const message = `vllm needs at least ${wanted} GPU${wanted > 1 ? 's' : ''}, ${host.has} ${host.gpus.length}`;
    refuse(path, `${message}; ${otherwise}`);
  } else if (host.runtime !== 'docker') {
    refuse(path, `vllm runs as a container, which needs TANDEM_RUNTIME=docker; ${otherwise}`);
  } else if (profile?.mode === 'none') {
    refuse(path, `vllm needs GPUs, and ${profile.name} gives it none; choose another gpu_profile, or ${otherwise}`);
  }
}

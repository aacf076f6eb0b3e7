import type { Role } from '../../contracts/run.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';

/** The address that means the server which Tandem starts with the run (requirement L3). */
export const MANAGED_API_BASE = 'http://localhost:8000/v1';

/** What makes the rollouts of a run. `program` is what a server of the user's own is. */
export type Inference =
  | { kind: 'none' }
  | { kind: 'vllm' | 'embedded' }
  | { kind: 'external'; url: string; program: 'vllm' | 'embedded' };

type InferenceSpec = Pick<RunSpec, 'method' | 'inference'>;

/** By the spec of a run; what the host decides has been written into it when it was submitted. */
export function inferenceOf({ method, inference: { backend, vllm } }: InferenceSpec): Inference {
  if (method !== 'grpo') return { kind: 'none' };
  if (isExternal(vllm)) return { kind: 'external', url: vllm.api_base, program: backend ?? 'vllm' };
  return { kind: backend ?? 'embedded' };
}

/** The roles that are started for a run, and that its lease has to cover, in the order of their start. */
export function rolesOf(spec: InferenceSpec): Role[] {
  const { kind } = inferenceOf(spec);
  return kind === 'vllm' || kind === 'embedded' ? ['inference', 'trainer'] : ['trainer'];
}

/** Whether a run has an inference server of its own. */
export function hasServer(spec: InferenceSpec): boolean {
  return rolesOf(spec).includes('inference');
}

/** In words, for the event of an attempt's start; null where nothing is served. */
export function describeInference(spec: InferenceSpec): string | null {
  const inference = inferenceOf(spec);
  if (inference.kind === 'none') return null;
  if (inference.kind === 'external') return `rollouts come from a server of your own at ${inference.url}`;
  return `rollouts come from the ${inference.kind === 'vllm' ? 'vLLM' : 'embedded'} server that is started with it`;
}

/** A server is the user's own when another address than the managed one is given, or `managed: false`. */
function isExternal({ api_base: url, managed }: RunSpec['inference']['vllm']): boolean {
  return managed === false || (managed === null && withoutSlash(url) !== MANAGED_API_BASE);
}

export function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

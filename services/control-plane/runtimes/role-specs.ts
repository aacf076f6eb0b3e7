import type { GpuProfile } from '../../contracts/gpu-profile.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { inferenceOf } from '../runs/inference-of.ts';
import type { RoleSpec, Runtime } from './runtime.ts';
import { VLLM_CACHES, vllmCommand, vllmEnvironment, vllmHealth } from './vllm-role.ts';

/** The programs of the two roles, as absolute paths of built files where the roles run. */
export interface Programs {
  node: string;
  inference: string;
  trainer: string;
}

export const READY_FILE = 'ready.json';
export const TOKEN_FILE = 'token';
export const SPOOL_FILE = 'spool.jsonl';
/** The adapter in use and the one that replaces it; each version by which rollouts may lag behind is one more. */
const LOADED_ADAPTERS = 2;

type Place = Pick<Runtime, 'workspace' | 'sharedDirectory' | 'seenAt' | 'listenAt'>;
interface PlannedRun {
  id: string;
  spec: RunSpec;
  model_directory: string;
  base_adapter_directory: string | null;
  train_data: string | null;
  val_data: string | null;
  reward_files: readonly string[];
}

/** What a role gets of the machine. */
export interface RoleShare {
  gpus: readonly string[];
  epoch: number | null;
  shmGib: number;
}

interface InferenceStart {
  run: PlannedRun;
  attempt: number;
  start: number;
  share: RoleShare;
  /** That of the run; null when it is gone. */
  profile: GpuProfile | null;
  /** Container image of vLLM. */
  vllmImage: string;
  runtime: Place;
  programs: Programs;
}

/** How the inference server of a run is started. */
export function inferenceRole(start: InferenceStart): RoleSpec {
  return inferenceOf(start.run.spec).kind === 'vllm' ? vllmRole(start) : embeddedRole(start);
}

function vllmRole({ run, attempt, start, share, profile, vllmImage, runtime }: InferenceStart): RoleSpec {
  if (profile === null) throw new Error(`the GPU profile of ${run.id} is gone: put its file back into gpu-profiles`);
  const server = {
    spec: run.spec,
    profile,
    model: runtime.seenAt(run.model_directory),
    name: run.id,
    ...runtime.listenAt,
  };
  return {
    identity: { run: run.id, attempt, role: 'inference', start },
    command: vllmCommand(server),
    env: vllmEnvironment(server),
    caches: VLLM_CACHES,
    files: {},
    image: vllmImage,
    inputs: [run.model_directory],
    ...share,
    health: vllmHealth(server),
  };
}

/** Argument names are vLLM's where it has them. */
function embeddedRole({ run, attempt, start, share, runtime, programs }: InferenceStart): RoleSpec {
  const { spec } = run;
  const { host, port } = runtime.listenAt;
  const identity = { run: run.id, attempt, role: 'inference', start } as const;
  const adapters = spec.rollout.max_staleness + LOADED_ADAPTERS;
  const lora = ['--enable-lora', '--max-lora-rank', `${spec.model.lora.r}`, '--max-loras', `${adapters}`];
  return {
    identity,
    command: [
      ...[programs.node, programs.inference],
      ...['--model', runtime.seenAt(run.model_directory)],
      ...['--served-model-name', run.id],
      ...['--host', host, '--port', `${port}`],
      ...['--max-model-len', `${spec.model.max_seq_length}`],
      ...(spec.model.use_lora ? lora : []),
      ...(spec.model.use_4bit ? ['--quantization', 'bitsandbytes'] : []),
      ...['--adapters-root', runtime.sharedDirectory({ run: run.id, attempt })],
      ...['--ready-file', `${runtime.workspace(identity)}/${READY_FILE}`],
    ],
    env: {},
    files: {},
    image: null,
    inputs: [run.model_directory],
    ...share,
    health: [programs.node, '-e', probe(`http://127.0.0.1:${port}/health`)],
  };
}

/** How the trainer of a run is started. Everything else it asks the agent API for. */
export function trainerRole(params: {
  run: PlannedRun;
  attempt: number;
  token: string;
  agentUrl: string;
  share: RoleShare;
  /** That of the run; null when it is gone. */
  profile: GpuProfile | null;
  /** A folder outside the store that it starts from. */
  startDirectory: string | null;
  runtime: Place;
  programs: Programs;
}): RoleSpec {
  const { run, attempt, token, agentUrl, share, profile, startDirectory, runtime, programs } = params;
  const { spec } = run;
  const identity = { run: run.id, attempt, role: 'trainer', start: 1 } as const;
  const workspace = runtime.workspace(identity);
  return {
    identity,
    command: spec.trainer === 'image' ? [] : [programs.node, programs.trainer],
    env: {
      TANDEM_AGENT_URL: agentUrl,
      TANDEM_ATTEMPT_ID: `${run.id}.a${attempt}`,
      TANDEM_TOKEN_FILE: `${workspace}/${TOKEN_FILE}`,
      TANDEM_WORKSPACE: workspace,
      ...(spec.trainer === 'image' ? {} : tensorflowMemory(profile)),
    },
    files: { [TOKEN_FILE]: token },
    image: spec.trainer === 'image' ? spec.trainer_image : null,
    inputs: [
      ...[run.model_directory, run.base_adapter_directory, run.train_data, run.val_data],
      ...[...run.reward_files, startDirectory],
    ].filter((path) => path !== null),
    ...share,
    sharesWithHost: inferenceOf(spec).kind === 'external',
    health: null,
  };
}

/**
 * What the trainer's TensorFlow is told of GPU memory. Where a server lives on the same GPU, freed memory goes back to the driver, and is not kept for the
 * trainer's next tensor.
 */
function tensorflowMemory(profile: GpuProfile | null): Record<string, string> {
  const share = profile?.trainer.gpu_memory_utilization ?? null;
  return {
    ...(share === null ? {} : { TANDEM_GPU_MEMORY_UTILIZATION: `${share}` }),
    ...(profile?.mode === 'shared' ? { TF_GPU_ALLOCATOR: 'cuda_malloc_async' } : {}),
  };
}

/** A program of one line that fails unless the URL is answered with success. */
function probe(url: string): string {
  return `fetch('${url}').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`;
}

import { gpuCount } from '../../contracts/check-gpu-profile.ts';
import type { GpuProfile } from '../../contracts/gpu-profile.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';

/** The ranks that vLLM can reserve adapter slots for (`--max-lora-rank` takes no other). */
const LORA_RANKS = [1, 8, 16, 32, 64, 128, 256, 320, 512] as const;
/** The share of a GPU's memory where neither spec nor profile says one. */
const DEFAULT_UTILIZATION = 0.85;
/** numpy takes no larger seed. */
const SEEDS = 2 ** 32;

/** What a vLLM server is told to be. */
export interface VllmServer {
  spec: RunSpec;
  profile: GpuProfile;
  /** The model's directory, as the server sees it. */
  model: string;
  /** Name of the base model in requests. */
  name: string;
  host: string;
  port: number;
}

/**
 * The command line of vLLM for a run; the spec wins over the profile. Written for the image in `vllm-image.ts`. `vllm serve` is said in full, so that
 * the image's own entrypoint does not matter.
 *
 * What is there for training's sake: logprobs of the distribution that was sampled from (`--logprobs-mode`, else they are taken before the temperature);
 * no sampling defaults from the model's generation_config.json (`--generation-config`); one API process (`--api-server-count`), because each would know
 * only the adapters that it was told of itself. GPUs beyond one tensor-parallel group make further copies of the model behind that process.
 */
export function vllmCommand({ spec, profile, model, name, host, port }: VllmServer): string[] {
  const { vllm } = spec.inference;
  const size = vllm.tensor_parallel_size ?? profile.inference.tensor_parallel_size;
  const copies = Math.max(1, Math.floor(gpuCount(profile.inference.gpus) / size));
  const share = vllm.gpu_memory_utilization ?? profile.inference.gpu_memory_utilization ?? DEFAULT_UTILIZATION;
  return [
    ...['vllm', 'serve', model],
    ...['--served-model-name', name],
    ...['--host', host, '--port', `${port}`],
    ...['--tensor-parallel-size', `${size}`],
    ...(copies > 1 ? ['--data-parallel-size', `${copies}`] : []),
    ...['--api-server-count', '1'],
    ...['--max-model-len', `${spec.model.max_seq_length}`],
    ...['--dtype', spec.model.bf16 ? 'bfloat16' : 'auto'],
    // Weights in 4 bits as the trainer has them: quantised at loading, which vLLM does as NF4 with double quantisation.
    ...(spec.model.use_4bit ? ['--quantization', 'bitsandbytes'] : []),
    ...['--seed', `${spec.seed % SEEDS}`],
    ...['--gpu-memory-utilization', `${share}`],
    ...(spec.model.use_lora ? loraArguments(spec.model.lora.r, spec.rollout.max_staleness) : []),
    ...['--logprobs-mode', 'processed_logprobs'],
    ...['--generation-config', 'vllm'],
    ...(profile.hand_off === 'sleep' ? ['--enable-sleep-mode'] : []),
    '--disable-uvicorn-access-log',
  ];
}

/** The rank that slots are made for: the next one that vLLM has. Specs have no rank above the largest. */
export function vllmLoraRank(rank: number): number {
  const slot = LORA_RANKS.find((each) => each >= rank);
  if (slot === undefined) throw new RangeError(`LoRA rank ${rank} is above ${LORA_RANKS.at(-1)}, the largest of vLLM`);
  return slot;
}

/** Slots for every version that rollouts may still come from and the one that is being checked; as many again in memory of the host. */
function loraArguments(rank: number, staleness: number): string[] {
  const slots = staleness + 2;
  return [
    '--enable-lora',
    ...['--max-lora-rank', `${vllmLoraRank(rank)}`],
    ...['--max-loras', `${slots}`, '--max-cpu-loras', `${2 * slots}`],
  ];
}

/**
 * Variables of a vLLM server that reads its model from a directory and reaches no network. The endpoints for sleeping come with all others of vLLM's development
 * mode, which no key guards and which can run any method of the engine; so that mode is on only where the GPUs are handed over, and the server
 * must be reachable by its own trainer alone, which is what the pair's internal network is for.
 */
export function vllmEnvironment({ spec, profile }: Pick<VllmServer, 'spec' | 'profile'>): Record<string, string> {
  return {
    ...(spec.model.use_lora ? { VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True' } : {}),
    ...(profile.hand_off === 'sleep' ? { VLLM_SERVER_DEV_MODE: '1' } : {}),
    HF_HUB_OFFLINE: '1',
    TRANSFORMERS_OFFLINE: '1',
    VLLM_NO_USAGE_STATS: '1',
    DO_NOT_TRACK: '1',
  };
}

/** Directories of what vLLM and the compilers below it make of a model; minutes of each start, when they are empty. */
export const VLLM_CACHES = ['VLLM_CACHE_ROOT', 'TORCHINDUCTOR_CACHE_DIR', 'TRITON_CACHE_DIR'] as const;

/** Remembers in the container's /tmp, which a new start begins without, that a completion was answered. The daemon ends a check after 10 s. */
const PROBE = `
import json, os, sys
from urllib.request import Request, urlopen
base, model = sys.argv[1:]
urlopen(base + "/health", timeout=5).close()
if not os.path.exists("/tmp/answered"):
    body = json.dumps({"model": model, "prompt": [1], "max_tokens": 1}).encode()
    urlopen(Request(base + "/v1/completions", body, {"content-type": "application/json"}), timeout=9).close()
    open("/tmp/answered", "w").close()
`.trim();

/** A command, run beside the server, that succeeds while `/health` answers and once a first completion has been made. */
export function vllmHealth({ name, port }: Pick<VllmServer, 'name' | 'port'>): string[] {
  return ['python3', '-c', PROBE, `http://127.0.0.1:${port}`, name];
}

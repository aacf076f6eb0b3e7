import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { GpuProfile } from '../../contracts/gpu-profile.ts';
import { resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { type GpuProfiles, readGpuProfiles } from '../runs/gpu-profiles.ts';
import { VLLM_IMAGE, warnUnpinned } from './vllm-image.ts';
import { vllmCommand, vllmEnvironment, vllmHealth, vllmLoraRank } from './vllm-role.ts';

const root = join(import.meta.dirname, '../../..');
let profiles: GpuProfiles;
beforeAll(async () => {
  profiles = await readGpuProfiles(join(root, 'gpu-profiles'));
});

function resolve(written: Record<string, unknown>): RunSpec {
  const resolved = resolveRunSpec({ model: { name: 'model' }, data: { train_data: 'train.jsonl' }, ...written });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.spec;
}
const server = (profile: GpuProfile, written: Record<string, unknown> = {}) => ({
  ...{ spec: resolve(written), profile, model: '/tandem/inputs/m/model', name: 'run-7k3m9q2d' },
  ...{ host: '0.0.0.0', port: 8000 },
});
/** As a person would type it. */
const line = (profile: string, written: Record<string, unknown> = {}) =>
  vllmCommand(server(profiles.get(profile)!, written)).join(' ');

describe('the command line of vLLM', () => {
  it('of split-8 serves on four GPUs as one tensor-parallel group', () => {
    expect(line('split-8', { model: { name: 'm', max_seq_length: 4096, bf16: true, lora: { r: 24 } } })).toBe(
      'vllm serve /tandem/inputs/m/model --served-model-name run-7k3m9q2d --host 0.0.0.0 --port 8000 ' +
        '--tensor-parallel-size 4 --api-server-count 1 --max-model-len 4096 --dtype bfloat16 --seed 42 --gpu-memory-utilization 0.85 ' +
        '--enable-lora --max-lora-rank 32 --max-loras 2 --max-cpu-loras 4 --logprobs-mode processed_logprobs --generation-config vllm ' +
        '--disable-uvicorn-access-log',
    );
  });

  it('of shared-8 keeps to its budget and can sleep', () => {
    expect(line('shared-8')).toBe(
      'vllm serve /tandem/inputs/m/model --served-model-name run-7k3m9q2d --host 0.0.0.0 --port 8000 ' +
        '--tensor-parallel-size 8 --api-server-count 1 --max-model-len 2048 --dtype auto --seed 42 --gpu-memory-utilization 0.45 ' +
        '--enable-lora --max-lora-rank 16 --max-loras 2 --max-cpu-loras 4 --logprobs-mode processed_logprobs --generation-config vllm ' +
        '--enable-sleep-mode --disable-uvicorn-access-log',
    );
  });

  it('of split-2 takes the memory share of the spec before that of the profile', () => {
    expect(line('split-2', { inference: { vllm: { gpu_memory_utilization: 0.7 } }, seed: 2 ** 33 + 5 })).toBe(
      'vllm serve /tandem/inputs/m/model --served-model-name run-7k3m9q2d --host 0.0.0.0 --port 8000 ' +
        '--tensor-parallel-size 1 --api-server-count 1 --max-model-len 2048 --dtype auto --seed 5 --gpu-memory-utilization 0.7 ' +
        '--enable-lora --max-lora-rank 16 --max-loras 2 --max-cpu-loras 4 --logprobs-mode processed_logprobs --generation-config vllm ' +
        '--disable-uvicorn-access-log',
    );
  });

  it("of the guide's config on eight GPUs", async () => {
    const guide = parse(await readFile(join(root, 'scripts/configs/grpo_cua.yaml'), 'utf8')) as Record<string, unknown>;
    expect(line('split-8', guide)).toBe(
      'vllm serve /tandem/inputs/m/model --served-model-name run-7k3m9q2d --host 0.0.0.0 --port 8000 ' +
        '--tensor-parallel-size 4 --api-server-count 1 --max-model-len 16384 --dtype auto --seed 42 --gpu-memory-utilization 0.85 ' +
        '--enable-lora --max-lora-rank 16 --max-loras 2 --max-cpu-loras 4 --logprobs-mode processed_logprobs --generation-config vllm ' +
        '--disable-uvicorn-access-log',
    );
  });

  it('makes copies of the model on the GPUs beyond one group', () => {
    const two = line('split-8', { inference: { vllm: { tensor_parallel_size: 2 } } });
    expect(two).toContain('--tensor-parallel-size 2 --data-parallel-size 2 --api-server-count 1');
  });

  it('has a slot for every version that rollouts may come from, and for the next', () => {
    expect(line('split-2', { rollout: { max_staleness: 4 } })).toContain('--max-loras 6 --max-cpu-loras 12');
  });

  it('says nothing of adapters where full weights are trained', () => {
    const full = { model: { name: 'm', use_lora: false } };
    expect(line('split-2', full)).not.toContain('lora');
    expect(vllmEnvironment(server(profiles.get('split-2')!, full))).not.toHaveProperty(
      'VLLM_ALLOW_RUNTIME_LORA_UPDATING',
    );
  });
});

describe('the rank that vLLM is told', () => {
  it.each([
    [1, 1],
    [4, 8],
    [16, 16],
    [17, 32],
    [200, 256],
    [257, 320],
    [512, 512],
  ])('for %i is %i', (rank, slot) => {
    expect(vllmLoraRank(rank)).toBe(slot);
  });
});

describe('the environment of vLLM', () => {
  it('keeps it off every network and lets adapters come and go', () => {
    expect(vllmEnvironment(server(profiles.get('split-8')!))).toEqual({
      VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True',
      HF_HUB_OFFLINE: '1',
      TRANSFORMERS_OFFLINE: '1',
      VLLM_NO_USAGE_STATS: '1',
      DO_NOT_TRACK: '1',
    });
  });

  it('opens the development endpoints only where the server has to sleep', () => {
    const open = [...profiles.values()].filter((profile) => 'VLLM_SERVER_DEV_MODE' in vllmEnvironment(server(profile)));
    expect(open.map(({ name }) => name).sort()).toEqual(['shared-1', 'shared-8']);
  });
});

describe('the image of vLLM', () => {
  it('is pinned by a digest, and one that is not is warned of with the way to pin it', () => {
    expect(warnUnpinned('TANDEM_VLLM_IMAGE', VLLM_IMAGE)).toBeNull();
    expect(warnUnpinned('TANDEM_VLLM_IMAGE', 'vllm/vllm-openai:latest')).toMatch(
      /TANDEM_VLLM_IMAGE: vllm\/vllm-openai:latest is not pinned .*docker image inspect/,
    );
  });

  it('is asked for its health by a program that the image has', () => {
    expect(vllmHealth({ name: 'run-7k3m9q2d', port: 8000 })).toMatchObject({
      0: 'python3',
      3: 'http://127.0.0.1:8000',
      4: 'run-7k3m9q2d',
    });
  });
});

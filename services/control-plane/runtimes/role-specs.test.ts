import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import { readGpuProfiles } from '../runs/gpu-profiles.ts';
import { inferenceRole, trainerRole } from './role-specs.ts';

const profiles = await readGpuProfiles(join(import.meta.dirname, '../../../gpu-profiles'));
const runtime = {
  workspace: () => '/tandem/own/work',
  sharedDirectory: () => '/tandem/shared/adapters',
  seenAt: (path: string) => `/tandem/inputs/0${path}`,
  listenAt: { host: '0.0.0.0', port: 8000 },
};

function start(backend: 'vllm' | 'embedded', profile: string, model: object = {}) {
  const resolved = resolveRunSpec({ model: { name: 'm', ...model }, inference: { backend } });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const inputs = { base_adapter_directory: null, train_data: null, val_data: null, reward_files: [] };
  return inferenceRole({
    run: { id: 'run-7k3m9q2d', spec: resolved.spec, model_directory: '/srv/m', ...inputs },
    attempt: 2,
    start: 3,
    share: { gpus: ['GPU-1', 'GPU-2'], epoch: 5, shmGib: 8 },
    profile: profiles.get(profile) ?? null,
    vllmImage: 'vllm@sha256:1',
    runtime,
    programs: { node: 'node', inference: '/opt/inference.js', trainer: '/opt/trainer.js' },
  });
}

function trainer(profile: string) {
  const resolved = resolveRunSpec({ model: { name: 'm' } });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const data = { train_data: '/srv/train', val_data: null, reward_files: ['/srv/a.py', '/srv/b.mjs'] };
  return trainerRole({
    run: { id: 'run-7k3m9q2d', spec: resolved.spec, model_directory: '/srv/m', base_adapter_directory: null, ...data },
    ...{ attempt: 1, token: 't', agentUrl: 'http://127.0.0.1:1', startDirectory: null, runtime },
    share: { gpus: [], epoch: null, shmGib: 0 },
    profile: profiles.get(profile) ?? null,
    programs: { node: 'node', inference: '/opt/inference.js', trainer: '/opt/trainer.js' },
  });
}

it('the trainer is given the model, the data and the files of rewards', () => {
  expect(trainer('cpu').inputs).toEqual(['/srv/m', '/srv/train', '/srv/a.py', '/srv/b.mjs']);
});

it("the trainer's TensorFlow gives memory back where a server lives on the same GPU, and there only", () => {
  expect(trainer('shared-1').env).toMatchObject({
    TF_GPU_ALLOCATOR: 'cuda_malloc_async',
    TANDEM_GPU_MEMORY_UTILIZATION: '0.5',
  });
  expect(trainer('split-2').env).not.toHaveProperty('TF_GPU_ALLOCATOR');
  expect(trainer('cpu').env).not.toHaveProperty('TANDEM_GPU_MEMORY_UTILIZATION');
});

describe('the inference role', () => {
  it('is vLLM in its own image on the leased GPUs, with the model as the only input', () => {
    const role = start('vllm', 'split-4');
    expect(role).toMatchObject({
      identity: { run: 'run-7k3m9q2d', attempt: 2, role: 'inference', start: 3 },
      ...{ image: 'vllm@sha256:1', inputs: ['/srv/m'], gpus: ['GPU-1', 'GPU-2'], epoch: 5, shmGib: 8, files: {} },
      caches: expect.arrayContaining(['VLLM_CACHE_ROOT']),
    });
    expect(role.command.slice(0, 3)).toEqual(['vllm', 'serve', '/tandem/inputs/0/srv/m']);
    expect(role.health?.slice(-2)).toEqual(['http://127.0.0.1:8000', 'run-7k3m9q2d']);
  });

  it('cannot be vLLM without the profile that it is sized by', () => {
    expect(() => start('vllm', 'gone')).toThrow('put its file back');
  });

  it('is the embedded server in our own image otherwise', () => {
    expect(start('embedded', 'cpu')).toMatchObject({ image: null, command: expect.arrayContaining(['--ready-file']) });
  });

  it.each([
    ['vllm', 'split-4'],
    ['embedded', 'cpu'],
  ] as const)('of %s has 4-bit weights when the trainer has them', (backend, profile) => {
    const given = (model: object) =>
      start(backend, profile, model).command.join(' ').includes('--quantization bitsandbytes');
    expect([given({}), given({ use_4bit: true })]).toEqual([false, true]);
  });
});

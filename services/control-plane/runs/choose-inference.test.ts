import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { mergeSpecs, resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { eightH100, single } from '../placement/gpu-map.fixtures.ts';
import type { PlaceableGpu } from '../placement/gpu-map.ts';
import { type GpuProfiles, readGpuProfiles } from './gpu-profiles.ts';
import { describeInference, inferenceOf, rolesOf } from './inference-of.ts';
import { type Host, placeRun } from './placement.ts';

const root = join(import.meta.dirname, '../../..');
let profiles: GpuProfiles;
beforeAll(async () => {
  profiles = await readGpuProfiles(join(root, 'gpu-profiles'));
});

const on = (change: Partial<Host> = {}): Host => ({
  ...{ gpus: eightH100.gpus as readonly PlaceableGpu[], profiles, vllmApiBase: null, runtime: 'docker' },
  has: 'this host has',
  unread: null,
  sharesAdapters: true,
  trainerImages: null,
  ...change,
});
const processes = () => on({ gpus: [], runtime: 'process' });

function resolve(written: Record<string, unknown>): RunSpec {
  const base = { model: { name: 'model' }, data: { train_data: 'train.jsonl' } };
  const resolved = resolveRunSpec(mergeSpecs(base, written));
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.spec;
}
const vllm = (settings: object, rest: object = {}) => ({ inference: { vllm: settings, ...rest } });

function place(written: Record<string, unknown>, host: Host) {
  const placed = placeRun(resolve(written), host);
  if (!placed.ok) return Object.fromEntries(placed.refusals.map(({ path, message }) => [path, message]));
  const { spec, profile, warnings } = placed;
  const { kind, ...rest } = inferenceOf(spec);
  return { kind, ...rest, roles: rolesOf(spec), profile: profile.name, warnings };
}

describe('the server of a run', () => {
  it.each([
    ['nothing', {}],
    ['the default address', vllm({ api_base: 'http://localhost:8000/v1' })],
    ['the default address with a slash', vllm({ api_base: 'http://localhost:8000/v1/' })],
    ['managed: true', vllm({ managed: true })],
  ])('is started with it when the spec gives %s', (_, written) => {
    expect(place(written, processes())).toMatchObject({ kind: 'embedded', roles: ['inference', 'trainer'] });
    expect(place(written, on())).toMatchObject({ kind: 'vllm', roles: ['inference', 'trainer'] });
  });

  it('is what the shipped configs mean, too: their address is the managed one', async () => {
    for (const name of ['grpo_cua', 'grpo_cua_long']) {
      const text = await readFile(join(root, `scripts/configs/${name}.yaml`), 'utf8');
      const spec = resolve(parse(text) as Record<string, unknown>);
      expect(inferenceOf(spec)).toEqual({ kind: 'vllm' });
      expect(describeInference(spec)).toBe('rollouts come from the vLLM server that is started with it');
      // What else it needs is not there yet; its server is not what keeps it away.
      const refused = place(parse(text) as Record<string, unknown>, on());
      expect(Object.keys(refused).filter((path) => path.startsWith('inference'))).toEqual([]);
    }
  });

  it.each([
    ['another address', vllm({ api_base: 'http://10.0.0.7:8000/v1' }), 'http://10.0.0.7:8000/v1'],
    ['managed: false', vllm({ managed: false }), 'http://localhost:8000/v1'],
  ])('is the user’s own when the spec gives %s, and the trainer alone is started', (_, written, url) => {
    expect(place(written, processes())).toMatchObject({ kind: 'external', url, roles: ['trainer'], warnings: [] });
  });

  it('is that of VLLM_API_BASE before any other, and the run says so', () => {
    const host = { ...processes(), vllmApiBase: 'http://10.0.0.9:8000/v1/' };
    const url = 'http://10.0.0.9:8000/v1';
    expect(place({}, host)).toMatchObject({
      ...{ kind: 'external', url, roles: ['trainer'] },
      warnings: ['VLLM_API_BASE is set: rollouts come from http://10.0.0.9:8000/v1'],
    });
    expect(place(vllm({ api_base: 'http://10.0.0.7:8000/v1' }), host)).toMatchObject({
      ...{ kind: 'external', url },
      warnings: [expect.stringContaining('not those of inference.vllm.api_base (http://10.0.0.7:8000/v1)')],
    });
    expect(place(vllm({ managed: true }), host)).toMatchObject({
      ...{ kind: 'external', url },
      warnings: [expect.stringContaining('inference.vllm.managed: true has no effect')],
    });
    expect(place({ method: 'sft' }, host)).toMatchObject({ kind: 'none', roles: ['trainer'], warnings: [] });
  });

  it('may be one that containers reach where what they write lies on the host, and takes no GPU of the lease', () => {
    for (const url of ['http://10.0.0.7:8000/v1', 'http://host.docker.internal:8000/v1']) {
      expect(place(vllm({ api_base: url }), on())).toMatchObject({ kind: 'external', url, roles: ['trainer'] });
    }
  });

  it('of the user’s own leaves the lease to the trainer', () => {
    const host = on({ gpus: single.gpus, runtime: 'process' });
    const own = vllm({ api_base: 'http://10.0.0.7:8000/v1' });
    expect(place({ ...own, gpu_profile: 'split-2' }, host)).toMatchObject({ profile: 'split-2', roles: ['trainer'] });
    expect(place({ gpu_profile: 'split-2' }, host)).toMatchObject({
      gpu_profile: expect.stringContaining('split-2 needs 2 GPUs'),
    });
  });
});

describe('the profile of a run that names none', () => {
  it('is the widest split that fits when vLLM serves it, and the CPU otherwise', () => {
    expect(place({}, on())).toMatchObject({ kind: 'vllm', profile: 'split-2' });
    expect(place({}, on({ gpus: single.gpus }))).toMatchObject({ kind: 'vllm', profile: 'shared-1' });
    expect(place({ inference: { backend: 'embedded' } }, on())).toMatchObject({ kind: 'embedded', profile: 'cpu' });
    expect(place({ method: 'sft' }, on())).toMatchObject({ profile: 'cpu' });
    expect(place({}, on({ runtime: 'process' }))).toMatchObject({ kind: 'embedded', profile: 'cpu' });
    expect(place({ gpu_profile: 'cpu' }, on())).toMatchObject({ kind: 'embedded', profile: 'cpu' });
  });
});

describe('refused is', () => {
  it.each([
    [
      'vLLM without GPUs',
      { inference: { backend: 'vllm' } },
      () => processes(),
      'inference.backend',
      'needs at least 1',
    ],
    [
      'vLLM without containers',
      { inference: { backend: 'vllm' } },
      () => on({ runtime: 'process' }),
      'inference.backend',
      'TANDEM_RUNTIME=docker',
    ],
    [
      'vLLM on a profile without GPUs',
      { inference: { backend: 'vllm' }, gpu_profile: 'cpu' },
      () => on(),
      'inference.backend',
      'cpu gives it none',
    ],
    [
      'full weights with vLLM',
      { inference: { backend: 'vllm' }, model: { name: 'm', use_lora: false }, gpu_profile: 'split-2' },
      () => on(),
      'model.use_lora',
      'LoRA adapters only',
    ],
    [
      'full weights with a server of one’s own',
      { ...vllm({ managed: false }), model: { name: 'm', use_lora: false } },
      processes,
      'model.use_lora',
      'LoRA adapters only',
    ],
    [
      'a managed server at another address',
      vllm({ managed: true, api_base: 'http://10.0.0.7:8000/v1' }),
      processes,
      'inference.vllm.managed',
      'leave one of them out',
    ],
    ['an address without /v1', vllm({ api_base: 'http://10.0.0.7:8000' }), processes, 'inference.vllm.api_base', '/v1'],
    [
      'the address where clouds keep their keys',
      vllm({ api_base: 'http://169.254.169.254/v1' }),
      processes,
      'inference.vllm.api_base',
      'link-local',
    ],
    [
      'a server of one’s own that cannot see into a container',
      vllm({ api_base: 'http://10.0.0.7:8000/v1' }),
      () => on({ sharesAdapters: false }),
      'inference.vllm.api_base',
      'with TANDEM_ADAPTERS_DIR, a directory of the host',
    ],
    [
      'a group that does not divide the GPUs',
      { ...vllm({ tensor_parallel_size: 3 }), gpu_profile: 'split-2' },
      () => on(),
      'inference.vllm.tensor_parallel_size',
      'groups of 3 do not divide',
    ],
  ])('%s', (_, written, host, path, why) => {
    expect(place(written, host())).toMatchObject({ [path]: expect.stringContaining(why) });
  });

  it.each([
    'localhost',
    '127.0.0.7',
    '[::1]',
    'tandem.localhost',
    '[::ffff:127.0.0.1]',
  ])('a server of one’s own at %s, which is the container itself, and where the trainers are processes it is not', (name) => {
    const own = vllm({ api_base: `http://${name}:8001/v1` });
    expect(place(own, on())).toEqual({
      'inference.vllm.api_base': expect.stringContaining(
        'write host.docker.internal for this host (http://host.docker.internal:8001/v1)',
      ),
    });
    expect(place(own, processes())).toMatchObject({ kind: 'external' });
  });

  it('nothing about full weights where the embedded server takes them', () => {
    const full = { model: { name: 'm', use_lora: false } };
    expect(place(full, on())).toMatchObject({ kind: 'embedded', profile: 'cpu' });
    const own = { ...vllm({ managed: false }, { backend: 'embedded' }), ...full };
    expect(place(own, processes())).toMatchObject({ kind: 'external', program: 'embedded' });
  });
});

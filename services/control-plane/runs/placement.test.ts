import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import { eightH100, fourA10, single } from '../placement/gpu-map.fixtures.ts';
import type { PlaceableGpu } from '../placement/gpu-map.ts';
import { shapeOf } from '../placement/shape-of.ts';
import { type GpuProfiles, readGpuProfiles } from './gpu-profiles.ts';
import { placeRun } from './placement.ts';

let profiles: GpuProfiles;
beforeAll(async () => {
  profiles = await readGpuProfiles(join(import.meta.dirname, '../../../gpu-profiles'));
});

function place(
  gpus: readonly PlaceableGpu[],
  change: Record<string, unknown>,
  known: GpuProfiles = profiles,
  trainerImages: readonly string[] | null = null,
) {
  const resolved = resolveRunSpec({ model: { name: 'model' }, data: { train_data: 'train.jsonl' }, ...change });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const placed = placeRun(resolved.spec, {
    gpus,
    has: 'this host has',
    unread: null,
    profiles: known,
    vllmApiBase: null,
    runtime: 'docker',
    sharesAdapters: false,
    trainerImages,
  });
  return placed.ok
    ? placed.profile.name
    : Object.fromEntries(placed.refusals.map(({ path, message }) => [path, message]));
}
const withProfile = (name: string, change: object): GpuProfiles => {
  const profile = profiles.get(name)!;
  return new Map([...profiles, [name, { ...profile, ...change }]]);
};

describe('the profiles that come with Tandem', () => {
  it('are the six that are documented, each with the GPUs it is named after', () => {
    const needs = [...profiles.values()].map((profile) => {
      const shape = shapeOf(profile, { serves: true, tensorParallel: null });
      return [profile.name, shape && [shape.mode, shape.inference, shape.trainer, shape.tensorParallel]];
    });
    expect(Object.fromEntries(needs)).toEqual({
      cpu: null,
      'shared-1': ['shared', 1, 1, 1],
      'shared-8': ['shared', 8, 8, 8],
      'split-2': ['split', 1, 1, 1],
      'split-4': ['split', 2, 2, 2],
      'split-8': ['split', 4, 4, 4],
    });
  });

  it('give the server 0.85 of the memory where it has GPUs of its own', () => {
    const shares = [...profiles.values()].flatMap(({ mode, inference }) =>
      mode === 'split' ? [inference.gpu_memory_utilization] : [],
    );
    expect(shares).toEqual([0.85, 0.85, 0.85]);
  });
});

describe('placeRun', () => {
  it('takes a profile that fits an idle host, whatever is leased at the time', () => {
    expect(place(eightH100.gpus, { gpu_profile: 'split-2' })).toBe('split-2');
    expect(place(single.gpus, { gpu_profile: 'shared-1' })).toBe('shared-1');
  });

  it('refuses what no lease that ends could make room for, with the arithmetic and what would fit', () => {
    expect(place(single.gpus, { gpu_profile: 'split-2' })).toEqual({
      gpu_profile: 'split-2 needs 2 GPUs (1 for inference, 1 for the trainer), this host has 1; here fit shared-1',
    });
    expect(place([], { gpu_profile: 'shared-1' })).toEqual({
      gpu_profile: 'shared-1 needs 1 GPU (shared by both roles), this host has 0; leave gpu_profile out to use cpu',
    });
  });

  it('asks for the GPUs of the trainer alone where nothing is served', () => {
    expect(place(single.gpus, { method: 'sft', gpu_profile: 'split-2' })).toBe('split-2');
  });

  it('refuses every profile that gives the tfjs trainer more than one GPU', () => {
    for (const name of ['split-4', 'split-8', 'shared-8']) {
      const width = name === 'split-4' ? 2 : name === 'split-8' ? 4 : 8;
      expect(place(eightH100.gpus, { gpu_profile: name })).toEqual({
        gpu_profile: `${name} gives the trainer ${width} GPUs, the tfjs trainer uses one; trainers for more are areal and trl`,
      });
    }
    const wide = withProfile('split-2', { trainer: { gpus: [1, 2], gpu_memory_utilization: 0.9, shm_gib: 4 } });
    expect(place(eightH100.gpus, { gpu_profile: 'split-2' }, wide)).toMatchObject({
      gpu_profile: expect.stringContaining('split-2 gives the trainer 2 GPUs'),
    });
  });

  it('refuses to give the embedded server more than one GPU', () => {
    const served = withProfile('split-4', { trainer: { gpus: 1, gpu_memory_utilization: 0.9, shm_gib: 4 } });
    const embedded = { gpu_profile: 'split-4', inference: { backend: 'embedded' } };
    expect(place(eightH100.gpus, embedded, served)).toEqual({
      gpu_profile: 'split-4 gives the server 2 GPUs, the embedded server uses one; vllm (inference.backend) uses more',
    });
    expect(place(eightH100.gpus, { gpu_profile: 'split-4', method: 'sft' }, served)).toBe('split-4');
  });

  it('counts the GPUs of a run without a server for the trainer alone', () => {
    expect(place(single.gpus, { method: 'sft', trainer: 'trl', gpu_profile: 'split-4' })).toMatchObject({
      gpu_profile: 'split-4 needs 2 GPUs (for the trainer alone), this host has 1; here fit shared-1, split-2',
    });
  });

  it('refuses rollouts beside training on GPUs that only one of them has at a time, and does not choose such a profile itself', () => {
    const ahead = { rollout: { max_staleness: 2 }, inference: { backend: 'vllm' } };
    expect(place(single.gpus, { ...ahead, gpu_profile: 'shared-1' })).toEqual({
      'rollout.max_staleness':
        '2 lets rollouts go on while the policy is trained, and shared-1 hands its GPUs from one to the other; set it to 0, or choose a split profile',
    });
    expect(place(single.gpus, { ...ahead, method: 'sft', gpu_profile: 'shared-1' })).toBe('shared-1');
    expect(place(eightH100.gpus, { ...ahead, gpu_profile: 'split-2' })).toBe('split-2');
    const one = place(single.gpus, ahead);
    expect(one).not.toBe('shared-1');
    expect(one).not.toHaveProperty(['rollout.max_staleness']);
  });

  it('refuses fixed GPUs that the host does not have', () => {
    const fixed = withProfile('split-2', { trainer: { gpus: [4], gpu_memory_utilization: 0.9, shm_gib: 4 } });
    expect(place(fourA10.gpus, { gpu_profile: 'split-2' }, fixed)).toEqual({
      gpu_profile: 'split-2 needs the GPUs 4, this host has 0,1,2,3; here fit shared-1',
    });
    expect(place(eightH100.gpus, { gpu_profile: 'split-2' }, fixed)).toBe('split-2');
  });

  it('refuses GPUs that are too small', () => {
    const large = withProfile('split-2', { gpu_memory_gib: 40 });
    expect(place(fourA10.gpus, { gpu_profile: 'split-2' }, large)).toEqual({
      gpu_profile:
        'split-2 needs 2 GPUs of 40 GiB or more (1 for inference, 1 for the trainer), this host has 4, 0 of them with so much (the largest has 22.5 GiB); here fit shared-1',
    });
    expect(place(eightH100.gpus, { gpu_profile: 'split-2' }, large)).toBe('split-2');
  });

  it('refuses overrides that the profile has no room for', () => {
    const vllm = { tensor_parallel_size: 3, gpu_memory_utilization: 0.7 };
    const beside = withProfile('shared-1', { hand_off: 'none' });
    expect(place(eightH100.gpus, { gpu_profile: 'shared-1', inference: { vllm } }, beside)).toMatchObject({
      'inference.vllm.tensor_parallel_size':
        'groups of 3 do not divide the 1 GPUs that shared-1 gives the server; leave it out to use 1',
      'inference.vllm.gpu_memory_utilization':
        'server and trainer share the memory: 0.7 + 0.5 = 1.2, more than 1; lower one, or hand off by sleep',
    });
  });
});

describe("a trainer of the user's own", () => {
  const placeImage = (spec: Record<string, unknown>, images: readonly string[] | null) =>
    place([], spec, profiles, images);
  const own = { trainer: 'image', trainer_image: 'mine@sha256:1' };

  it('is one of the images that the host allows, by exactly that name', () => {
    expect(placeImage(own, ['other:1', 'mine@sha256:1'])).toBe('cpu');
    expect(placeImage({ ...own, method: 'dpo' }, ['mine@sha256:1'])).toBe('cpu');
    expect(placeImage(own, ['mine'])).toEqual({
      trainer_image: 'mine@sha256:1 may not be started here; choose one of mine',
    });
    expect(placeImage(own, [])).toEqual({ trainer_image: expect.stringContaining('TANDEM_TRAINER_IMAGES') });
    expect(placeImage({ trainer: 'image' }, ['mine'])).toEqual({ trainer_image: expect.stringMatching(/^is needed/) });
  });

  it('needs a host whose runs are containers', () => {
    expect(placeImage(own, null)).toEqual({ trainer: expect.stringContaining('TANDEM_RUNTIME=docker') });
  });

  it('is not silently left out because trainer says something else', () => {
    expect(placeImage({ trainer_image: 'mine' }, ['mine'])).toEqual({
      trainer_image: expect.stringContaining('trainer: image'),
    });
  });
});

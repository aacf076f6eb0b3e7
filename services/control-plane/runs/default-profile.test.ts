import { join } from 'node:path';
import { expect, it } from 'vitest';
import { resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import { eightH100 } from '../placement/gpu-map.fixtures.ts';
import { defaultProfile } from './default-profile.ts';
import { readGpuProfiles } from './gpu-profiles.ts';
import type { Host } from './placement.ts';

const profiles = await readGpuProfiles(join(import.meta.dirname, '../../../gpu-profiles'));

const host = (count: number): Host => ({
  gpus: eightH100.gpus.slice(0, count),
  has: 'this host has',
  unread: null,
  sharesAdapters: false,
  trainerImages: null,
  profiles,
  vllmApiBase: null,
  runtime: 'docker',
});

it.each([
  ['embedded', { trainer: 'tfjs', inference: { backend: 'embedded' } }, 8, 'cpu'],
  ['nothing served', { trainer: 'tfjs', method: 'sft', inference: { backend: 'vllm' } }, 8, 'cpu'],
  ['vllm', { trainer: 'tfjs', inference: { backend: 'vllm' } }, 8, 'split-2'],
  ['vllm', { trainer: 'tfjs', inference: { backend: 'vllm' } }, 1, 'shared-1'],
  ['a trainer for GPUs', { trainer: 'areal' }, 8, 'split-8'],
  ['a trainer for GPUs', { trainer: 'areal' }, 7, 'split-4'],
  ['a trainer for GPUs alone', { trainer: 'trl', method: 'sft' }, 3, 'split-4'],
  ['a trainer for GPUs', { trainer: 'areal' }, 1, 'shared-1'],
  ['a trainer of one’s own', { trainer: 'image', trainer_image: 'trainer:1' }, 8, 'split-8'],
  ['a trainer of one’s own alone', { trainer: 'image', trainer_image: 'trainer:1', method: 'sft' }, 8, 'split-8'],
  ['a trainer of one’s own', { trainer: 'image', trainer_image: 'trainer:1' }, 5, 'split-4'],
  ['a trainer of one’s own', { trainer: 'image', trainer_image: 'trainer:1' }, 0, 'cpu'],
  ['a trainer for GPUs', { trainer: 'areal' }, 0, 'cpu'],
])('a spec that names no profile (%s, %j) gets on %i GPUs %s', (_what, change, count, expected) => {
  const resolved = resolveRunSpec({ model: { name: 'model' }, ...change });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  expect(defaultProfile(resolved.spec, host(count))).toBe(expected);
});

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { servePublic } from '../api/testing.ts';
import { single } from '../placement/gpu-map.fixtures.ts';
import { createGpuProfileHandlers } from './gpu-profile.handlers.ts';
import { readGpuProfiles } from './gpu-profiles.ts';

it('lists every profile with its budgets, and says which this host could never hold', async () => {
  const profiles = await readGpuProfiles(join(import.meta.dirname, '../../../gpu-profiles'));
  const server = await servePublic(createGpuProfileHandlers({ profiles, gpus: async () => single.gpus }));
  try {
    const answer = await fetch(`${server.url}/gpu-profiles`);
    expect(answer.status).toBe(200);
    const { profiles: listed } = (await answer.json()) as { profiles: { profile: { name: string }; never: string }[] };
    expect(listed.map(({ profile, never }) => [profile.name, never])).toEqual([
      ['cpu', null],
      ['shared-1', null],
      ['shared-8', 'needs 8 GPUs (shared by both roles), this host has 1'],
      ['split-2', 'needs 2 GPUs (1 for inference, 1 for the trainer), this host has 1'],
      ['split-4', 'needs 4 GPUs (2 for inference, 2 for the trainer), this host has 1'],
      ['split-8', 'needs 8 GPUs (4 for inference, 4 for the trainer), this host has 1'],
    ]);
    expect(listed[1]!.profile).toEqual(profiles.get('shared-1'));
  } finally {
    await server.close();
  }
});

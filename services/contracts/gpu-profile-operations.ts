import { z } from 'zod';
import { field } from './field.ts';
import { gpuProfileSchema } from './gpu-profile.ts';
import { operation } from './operation.ts';

const listedProfileSchema = z
  .strictObject({
    profile: field(gpuProfileSchema, 'The profile, as its file says it.', {
      name: 'split-2',
      description: '2 GPUs: one serves, one trains.',
      mode: 'split',
      inference: { gpus: 1, tensor_parallel_size: 1, gpu_memory_utilization: 0.85, shm_gib: 4 },
      trainer: { gpus: 1, gpu_memory_utilization: 0.95, shm_gib: 4 },
      hand_off: 'none',
      deadlines: { ready: 1800, hand_off: 60 },
    }),
    never: field(
      z.string().nullable(),
      'Why this host could not hold it even if nothing else ran, with the arithmetic; null where it could.',
      'needs 2 GPUs (1 for inference, 1 for the trainer), this host has 1',
    ),
  })
  .meta({ id: 'ListedGpuProfile', description: 'A GPU profile, and whether this host could ever hold it.' });

/** The GPU profiles that a run can name. */
export const gpuProfileOperations = {
  listGpuProfiles: operation({
    method: 'get',
    path: '/gpu-profiles',
    tag: 'machine',
    summary: 'The GPU profiles that runs can name, and which of them this host could hold',
    description:
      'Read from `gpu-profiles/` at the start of the control plane. With GRPO a run takes the GPUs of both roles, else those of the trainer.',
    responses: [
      {
        status: 200,
        description: 'All of them.',
        body: z
          .strictObject({ profiles: field(z.array(listedProfileSchema), 'By name.', []) })
          .meta({ id: 'GpuProfileList' }),
      },
    ],
    problems: ['invalid-request'],
  }),
} as const;

import { z } from 'zod';
import { checkGpuProfile } from './check-gpu-profile.ts';
import { field } from './field.ts';

const gpus = z.union([z.int().min(0), z.array(z.int().min(0)).min(1)]);
const share = z.number().gt(0).max(1).nullable();
const shmGib = z.number().min(0.0625).max(1024);
const seconds = z.int().min(1).max(86_400);

/**
 * How a set of GPUs is divided between the two roles; one YAML file each in `gpu-profiles/`. `split`: disjoint sets. `shared`: one set for both, each
 * with its memory budget. `none`: the CPU. What contradicts itself is refused when the file is read.
 */
export const gpuProfileSchema = z
  .strictObject({
    name: field(z.string().regex(/^[a-z0-9][a-z0-9-]*$/), 'Name, as in `gpu_profile` of a run spec.', 'split-8'),
    description: field(z.string().min(1), 'What it is for.', '8 GPUs: 4 serve, 4 train.'),
    mode: field(z.enum(['split', 'shared', 'none']), 'How the GPUs are divided.', 'split'),
    gpu_memory_gib: field(
      z.number().min(0).default(0),
      'Memory that each of its GPUs must have at least, in GiB; 0: any GPU will do.',
      80,
    ),
    inference: field(
      z.strictObject({
        gpus: field(gpus, 'GPUs of the inference server: how many, or which by index.', 4),
        tensor_parallel_size: field(
          z.int().min(1),
          'GPUs of one tensor-parallel group; the server has a whole number of groups.',
          4,
        ),
        gpu_memory_utilization: field(share, 'Share of GPU memory the server takes; null without GPUs.', 0.85),
        shm_gib: field(
          shmGib,
          'Size of /dev/shm in its container, in GiB; NCCL and the workers of a group use it.',
          16,
        ),
      }),
      'What the inference server gets.',
      { gpus: 4, tensor_parallel_size: 4, gpu_memory_utilization: 0.85, shm_gib: 16 },
    ),
    trainer: field(
      z.strictObject({
        gpus: field(gpus, 'GPUs of the trainer: how many, or which by index.', 4),
        gpu_memory_utilization: field(share, 'Share of GPU memory the trainer may take; null without GPUs.', 0.95),
        shm_gib: field(shmGib, 'Size of /dev/shm in its container, in GiB; data loaders and NCCL use it.', 16),
      }),
      'What the trainer gets.',
      { gpus: 4, gpu_memory_utilization: 0.95, shm_gib: 16 },
    ),
    hand_off: field(
      z.enum(['none', 'sleep']),
      'How one role leaves the GPUs to the other. `none`: both keep what they have. `sleep` (shared only): the server sleeps while the trainer trains.',
      'none',
    ),
    deadlines: field(
      z.strictObject({
        ready: field(
          seconds,
          'Seconds from the lease until both roles answer; then it is revoked and the run waits again.',
          3600,
        ),
        hand_off: field(seconds, 'Seconds that going to sleep, or waking up, may take.', 120),
      }),
      'How long its phases may take.',
      { ready: 3600, hand_off: 120 },
    ),
  })
  .superRefine((profile, context) => {
    for (const { path, message } of checkGpuProfile(profile)) context.addIssue({ code: 'custom', path, message });
  })
  .meta({ id: 'GpuProfile', description: 'How GPUs are divided between the roles.' });
export type GpuProfile = z.infer<typeof gpuProfileSchema>;

import { z } from 'zod';
import { field } from './field.ts';

/**
 * How a set of GPUs is divided between the two roles; one YAML file each in `gpu-profiles/`. `split`: disjoint sets. `shared`: one set for both, with a
 * memory budget for the server. `none`: the CPU.
 */
export const gpuProfileSchema = z
  .strictObject({
    name: field(z.string().regex(/^[a-z0-9][a-z0-9-]*$/), 'Name, as in `gpu_profile` of a run spec.', 'split-8'),
    description: field(z.string().min(1), 'What it is for.', '8 GPUs: 4 serve, 4 train.'),
    mode: field(z.enum(['split', 'shared', 'none']), 'How the GPUs are divided.', 'split'),
    inference: field(
      z.strictObject({
        gpus: field(z.int().min(0), 'GPUs of the inference server.', 4),
        tensor_parallel_size: field(z.int().min(1), 'GPUs of one tensor-parallel group.', 4),
        gpu_memory_utilization: field(
          z.number().gt(0).max(1).nullable(),
          'Share of GPU memory the server takes; null without GPUs.',
          0.85,
        ),
      }),
      'What the inference server gets.',
      { gpus: 4, tensor_parallel_size: 4, gpu_memory_utilization: 0.85 },
    ),
    trainer: field(
      z.strictObject({ gpus: field(z.int().min(0), 'GPUs of the trainer.', 4) }),
      'What the trainer gets.',
      { gpus: 4 },
    ),
  })
  .meta({ id: 'GpuProfile', description: 'How GPUs are divided between the roles.' });
export type GpuProfile = z.infer<typeof gpuProfileSchema>;

/** GPUs a host must have for a profile. */
export function gpusNeeded(profile: GpuProfile): number {
  const { inference, trainer } = profile;
  return profile.mode === 'shared' ? Math.max(inference.gpus, trainer.gpus) : inference.gpus + trainer.gpus;
}

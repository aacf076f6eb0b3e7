import { z } from 'zod';
import { field } from './field.ts';
import { gpuInventorySchema } from './gpu.ts';
import { gpuProfileSchema } from './gpu-profile.ts';
import { operation } from './operation.ts';
import { flag } from './operation-parts.ts';
import { preflightSchema } from './preflight.ts';
import { queueSchema } from './queue.ts';

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

/** The machine that runs are placed on. */
export const machineOperations = {
  listGpus: operation({
    method: 'get',
    path: '/gpus',
    tag: 'machine',
    summary: 'The GPUs of the host, their links, their health, and whose they are',
    description:
      'Read every minute; the answer is what was read last. A GPU that vanishes while the control plane runs stays listed, as `unusable`. Until the first ' +
      'reading is done, and with `refresh`, the answer waits for a reading; requests share one, and it takes a minute at most.',
    query: z.object({ refresh: flag('Read now, instead of answering what was read last.') }),
    responses: [{ status: 200, description: 'The inventory.', body: gpuInventorySchema }],
    problems: ['invalid-request'],
  }),
  releaseGpu: operation({
    method: 'post',
    path: '/gpus/{uuid}/release',
    tag: 'machine',
    summary: 'Give a GPU out again that a program called broken',
    description:
      'A GPU on which a program ended with the words that a GPU is broken (an Xid, an uncorrectable memory error) is quarantined for ten minutes, and longer while it is ' +
      'read to be unusable. This ends it, once you know that the GPU works. What else keeps it back, as processes on it, still does.',
    params: z.object({
      uuid: field(z.string().min(1).max(100), 'UUID of the GPU.', 'GPU-5f1c9d7e-0b0a-4c63-9f64-0d3b8f6a2e11'),
    }),
    responses: [{ status: 204, description: 'It counts as any other from now on.', media: [] }],
    problems: ['invalid-request', 'not-found', 'conflict'],
  }),
  getQueue: operation({
    method: 'get',
    path: '/queue',
    tag: 'machine',
    summary: 'Who waits for what, in order, and why in numbers',
    description:
      'Decided anew for each answer, by the rules by which runs are started: runs on GPUs by priority and age, with a reservation for the first that has to ' +
      'wait, runs on the CPU by slots. The sentence of a run is also in `GET /runs/{id}` (`waiting.why`).',
    responses: [{ status: 200, description: 'The queue now.', body: queueSchema }],
    problems: ['invalid-request'],
  }),
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
  getPreflight: operation({
    method: 'get',
    path: '/preflight',
    tag: 'machine',
    summary: 'Whether this host is ready for runs, one line per check with its remedy',
    description:
      'Linux, Docker, Compose, the NVIDIA container toolkit, driver and CUDA, GPUs, memory, disk, ports and keys. What does not matter for the runtime ' +
      'or without GPUs is a `note`. Takes some seconds, half a minute at most; `scripts/preflight.sh` prints the same without a control plane.',
    query: z.object({
      probe: flag('Also start a container that runs `nvidia-smi`, on a host with GPUs and with the Docker runtime.'),
    }),
    responses: [{ status: 200, description: 'What was found, ready or not.', body: preflightSchema }],
    problems: ['invalid-request'],
  }),
} as const;

import { z } from 'zod';
import { field } from '../field.ts';
import { positiveInt } from './bounds.ts';

export const inferenceSpecSchema = z
  .strictObject({
    backend: field(
      z.enum(['vllm', 'embedded']).nullable().default(null),
      'What serves the model; null: vLLM on a host with GPUs, else the embedded server.',
      'vllm',
    ),
    vllm: field(
      z
        .strictObject({
          api_base: field(
            z.url().default('http://localhost:8000/v1'),
            'Base URL. The default means the server that Tandem manages; any other is external.',
            'http://localhost:8000/v1',
          ),
          managed: field(
            z.boolean().nullable().default(null),
            'Start the server with the run; null: when `api_base` is the default.',
            true,
          ),
          timeout: field(
            z.number().positive().default(120),
            'Seconds to wait for a completion while the server gets nothing done, and a tenth of the longest wait for one while it does; 300.0 is the remedy for slow servers.',
            300,
          ),
          tensor_parallel_size: field(
            positiveInt().nullable().default(null),
            'GPUs of one tensor-parallel group; null: as the GPU profile says.',
            4,
          ),
          gpu_memory_utilization: field(
            z.number().gt(0).max(1).nullable().default(null),
            'Share of GPU memory vLLM takes; null: as the GPU profile says (0.85 in split). 0.7 is the remedy after out-of-memory.',
            0.85,
          ),
        })
        .prefault({})
        .meta({ id: 'VllmSpec' }),
      'The vLLM server.',
      {},
    ),
  })
  .meta({ id: 'InferenceSpec', description: 'What makes the rollouts.' });

import { z } from 'zod';
import { checkpointFileSchema } from './checkpoint.ts';
import { field } from './field.ts';
import { loraSchema } from './run-spec/model.ts';

export const exportedFileSchema = z
  .strictObject({
    path: field(z.string(), 'Where it goes in the directory that is served.', 'adapter_model.safetensors'),
    size: checkpointFileSchema.shape.size,
    sha256: checkpointFileSchema.shape.sha256,
    url: field(
      z.string(),
      'Where its bytes are, relative to this API.',
      '/runs/run-7k3m9q2d/checkpoints/a1%2Fcheckpoint-100/files/model/adapter_model.safetensors',
    ),
  })
  .meta({ id: 'ExportedFile' });

/** GET /runs/{id}/checkpoints/{name}/export. */
export const checkpointExportSchema = z
  .strictObject({
    checkpoint: field(z.string(), 'What is exported.', 'run-7k3m9q2d/a1/checkpoint-100'),
    name: field(z.string(), 'Name under which it is served.', 'run-7k3m9q2d-a1-checkpoint-100'),
    kind: field(z.enum(['adapter', 'model']), 'An adapter on a base model, or a model of its own.', 'adapter'),
    base_model: field(
      z.string().nullable(),
      'Model that the adapter belongs on: a hub name, or its directory on the host of Tandem; null for a model of its own.',
      'Qwen/Qwen3-VL-32B-Instruct',
    ),
    lora: field(
      loraSchema.pick({ r: true, alpha: true }).nullable(),
      'Rank and scale of the adapter; null for a model of its own.',
      { r: 16, alpha: 32 },
    ),
    max_model_len: field(z.int().min(1), 'Longest sequence in tokens that it was trained with.', 16384),
    directory: field(z.string(), 'Where the command expects the files.', './run-7k3m9q2d-a1-checkpoint-100'),
    files: field(z.array(exportedFileSchema), 'What is needed to serve it.', []),
    command: field(z.array(z.string()), 'The command that serves it with vLLM, as arguments.', [
      'vllm',
      'serve',
      'Qwen/Qwen3-VL-32B-Instruct',
      '--enable-lora',
    ]),
    command_line: field(
      z.string(),
      'The same for a shell.',
      'vllm serve Qwen/Qwen3-VL-32B-Instruct --enable-lora --max-lora-rank 16 --lora-modules run-7k3m9q2d-a1-checkpoint-100=./run-7k3m9q2d-a1-checkpoint-100',
    ),
    notes: field(z.array(z.string()), 'What to know before it is served.', []),
  })
  .meta({ id: 'CheckpointExport', description: 'How a checkpoint is served.' });
export type CheckpointExport = z.infer<typeof checkpointExportSchema>;

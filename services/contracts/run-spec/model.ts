import { z } from 'zod';
import { field } from '../field.ts';
import { positiveInt } from './bounds.ts';

export const loraTargets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

export const loraSchema = z
  .strictObject({
    r: field(
      positiveInt('LoRA rank 0 trains nothing; set model.use_lora: false for full weights')
        .max(512, 'vLLM serves ranks up to 512')
        .default(16),
      'Rank of the LoRA matrices. 8, 16 or 32 by memory; 16 to 8 is a remedy for CUDA out of memory.',
      16,
    ),
    alpha: field(
      z.number().positive('LoRA alpha scales the update by alpha / r; 0 would switch it off').default(32),
      'LoRA scale; the update is multiplied by alpha / r.',
      32,
    ),
    dropout: field(
      z.number().min(0).lt(1, 'a dropout of 1 would drop every input').default(0),
      'Dropout on the LoRA input while training.',
      0,
    ),
    target_modules: field(
      z
        .array(z.enum(loraTargets))
        .min(1, 'name at least one projection')
        .default([...loraTargets]),
      'Projections that get a LoRA; all seven by default.',
      ['q_proj', 'v_proj'],
    ),
  })
  .meta({ id: 'LoraSpec', description: 'Low-rank adapter.' });

export const modelSpecSchema = z
  .strictObject(
    {
      name: field(
        z.string().min(1),
        'A model directory, `runs/<id>/<checkpoint>` (or `runs/<id>` for its best) for what another run trained, `store:models/<path>` for one in the object store, or ' +
          'the name of a model hub (`HF_ENDPOINT`), which is fetched before the run starts.',
        'Qwen/Qwen3-VL-32B-Instruct',
      ),
      revision: field(
        z
          .string()
          .regex(/^[\w][\w./-]{0,199}$/, 'must be a branch, a tag or a commit, such as main')
          .default('main'),
        'Of a model from a hub: branch, tag or commit. A run keeps the commit that it meant when the run was submitted.',
        'main',
      ),
      max_seq_length: field(
        positiveInt().max(1_048_576).default(2048),
        'Longest sequence in tokens, prompt and completion together. Left out: 2048, or what the model was made for if that is less.',
        16384,
      ),
      use_lora: field(z.boolean().default(true), 'Train a LoRA adapter; false trains the full weights.', true),
      lora: field(loraSchema.prefault({}), 'The adapter, when `use_lora` is true.', { r: 16, alpha: 32 }),
      use_4bit: field(
        z.boolean().default(false),
        'QLoRA: keep the projections of the frozen model in 4 bits (NF4 with double quantisation) under the adapter. Less memory, and slower where batches are small.',
        false,
      ),
      bf16: field(
        z.boolean().default(false),
        'Compute in bfloat16 where the trainer backend can; the tfjs trainer computes in float32.',
        true,
      ),
    },
    { error: (issue) => (issue.input === undefined ? 'is missing; give at least model.name' : undefined) },
  )
  .meta({ id: 'ModelSpec', description: 'What is trained.' });

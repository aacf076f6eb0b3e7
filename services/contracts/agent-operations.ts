import { z } from 'zod';
import { checkpointFileSchema, commitSchema, manifestSchema } from './checkpoint.ts';
import { field } from './field.ts';
import { modelOriginSchema } from './model-origin.ts';
import { operation } from './operation.ts';
import { recordSchema } from './record.ts';
import { logLevelSchema } from './run-spec/logging.ts';
import { runSpecSchema } from './run-spec.ts';

/**
 * The agent API: how any trainer meets the control plane, on a listener of its own. `agent.md` tells it in prose.
 */
const attemptParams = z.object({
  id: field(z.string().regex(/^run-[a-z0-9]{8}\.a\d+$/), 'Attempt, as `<run id>.a<number>`.', 'run-7k3m9q2d.a1'),
});

export const attemptIdPattern = /^(run-[a-z0-9]{8})\.a(\d+)$/;

export const wants = ['run', 'save', 'stop'] as const;
export type Want = (typeof wants)[number];

export const logLevelsSchema = z
  .strictObject({
    training: field(logLevelSchema, 'Level of training.', 'INFO'),
    rollout: field(logLevelSchema, 'Level of rollouts.', 'INFO'),
    eval: field(logLevelSchema, 'Level of evaluation.', 'INFO'),
    performance: field(logLevelSchema, 'Level of performance lines.', 'INFO'),
  })
  .meta({ id: 'LogLevels', description: 'Level per component.' });
export type LogLevels = z.infer<typeof logLevelsSchema>;

/** A checkpoint a trainer may start from; `directory` where the store is a file system, `urls` where it is not. */
export const resumeCandidateSchema = z
  .strictObject({
    label: field(z.string(), 'Name for people.', 'run-7k3m9q2d/a1/checkpoint-40'),
    manifest: field(manifestSchema.nullable(), 'Its manifest; null for a folder that never had one.', null),
    directory: field(
      z.string().nullable(),
      'Where its files lie.',
      '/srv/tandem/objects/runs/run-7k3m9q2d/checkpoints/a1/checkpoint-40',
    ),
    urls: field(z.record(z.string(), z.url()).nullable(), 'Where its files are fetched from, by path.', null),
  })
  .meta({ id: 'ResumeCandidate' });
export type ResumeCandidate = z.infer<typeof resumeCandidateSchema>;

export const attemptSpecSchema = z
  .strictObject({
    run: field(z.string(), 'Run.', 'run-7k3m9q2d'),
    attempt: field(z.int().min(1), 'Attempt, from 1.', 1),
    spec: field(runSpecSchema, 'The resolved run spec.', { model: { name: 'Qwen/Qwen3-VL-32B-Instruct' } }),
    model_directory: field(z.string(), 'Where the base model lies, in Hugging Face layout.', '/srv/models/tiny'),
    model_origin: field(
      modelOriginSchema.nullable(),
      'Where that was fetched from, for what a checkpoint says of itself; null for a model that is not fetched.',
      null,
    ),
    base_adapter_directory: field(
      z.string().nullable(),
      "Adapter to start from when the model is another run's LoRA checkpoint.",
      null,
    ),
    train_data: field(z.string().nullable(), 'Absolute path of the training set.', '/srv/data/train.jsonl'),
    val_data: field(z.string().nullable(), 'Absolute path of the validation set.', '/srv/data/val.jsonl'),
    reward_files: field(
      z.array(z.string()),
      'Absolute paths of the files that `function` rewards name, in their order.',
      ['/srv/rewards/score.py'],
    ),
    adapters_directory: field(
      z.string(),
      'Where versioned adapters are published for the inference server; shared by the pair.',
      '/srv/tandem/work/run-7k3m9q2d/a1/adapters',
    ),
    inference_url: field(
      z.url().nullable(),
      'Base URL of the inference server, ending in /v1; null when the method needs none.',
      'http://127.0.0.1:34567/v1',
    ),
    hand_off: field(
      z
        .strictObject({
          mode: field(
            z.enum(['none', 'sleep']),
            '`sleep`: put the server to sleep before training, wake it before rollouts.',
            'none',
          ),
          deadline: field(z.number().positive(), 'Seconds that each of its steps may take.', 120),
        })
        .meta({ id: 'HandOff' }),
      'How the inference server leaves the GPUs to the trainer; `none` where it has GPUs of its own, or no server is started with the attempt.',
      { mode: 'none', deadline: 120 },
    ),
    resume: field(
      z.array(resumeCandidateSchema),
      'Checkpoints to start from, best choice first; the first that verifies is used. Empty: from the beginning.',
      [],
    ),
    baseline: field(
      z.record(z.string(), z.unknown()).nullable(),
      'Baseline evaluation of this run or its parent, when there is one already.',
      null,
    ),
    run_baseline_eval: field(z.boolean(), 'Whether to evaluate before training.', true),
    verbose: field(z.boolean(), "Whether to log each step's phases and group summary.", false),
    output_dir: field(z.string(), "Name of the run's tree, for messages.", 'outputs/grpo_cua'),
    log_levels: field(logLevelsSchema, 'Level per component.', {
      training: 'INFO',
      rollout: 'INFO',
      eval: 'INFO',
      performance: 'INFO',
    }),
  })
  .meta({ id: 'AttemptSpec', description: 'Everything a trainer needs to know.' });
export type AttemptSpec = z.infer<typeof attemptSpecSchema>;

export const recordsReplySchema = z
  .strictObject({
    high: field(z.int().min(0), 'Number of the last record that is stored; the next one to send is `high + 1`.', 17),
    want: field(
      z.enum(wants),
      '`save`: commit a checkpoint soon. `stop`: commit one and exit with 0 before the deadline.',
      'run',
    ),
    deadline: field(z.iso.datetime().nullable(), 'For `stop`: when the process will be killed.', null),
    log_levels: field(logLevelsSchema, 'Level per component, as it is now.', {
      training: 'INFO',
      rollout: 'INFO',
      eval: 'INFO',
      performance: 'INFO',
    }),
  })
  .meta({ id: 'RecordsReply' });
export type RecordsReply = z.infer<typeof recordsReplySchema>;

/** A file that is to be uploaded. With `sha256` the store checks what it receives; `parts` is needed above 5 GiB. */
export const uploadFileSchema = z
  .strictObject({
    path: checkpointFileSchema.shape.path,
    size: checkpointFileSchema.shape.size,
    sha256: checkpointFileSchema.shape.sha256.optional(),
    parts: checkpointFileSchema.shape.parts,
  })
  .meta({ id: 'UploadFile' });
export type UploadFile = z.infer<typeof uploadFileSchema>;

/** One request of an upload: `PUT url` with `headers` and the bytes from `start` up to but not including `end`. */
export const uploadPartSchema = z
  .strictObject({
    start: field(z.int().min(0), 'First byte of the file.', 0),
    end: field(z.int().min(0), 'The byte after the last one.', 16_777_216),
    url: field(
      z.url(),
      'Presigned URL; holds for this part alone.',
      'http://minio:9000/tandem/runs/…?X-Amz-Signature=…',
    ),
    headers: field(z.record(z.string(), z.string()), 'Headers to send with it; they are part of the signature.', {
      'x-amz-checksum-sha256': 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=',
    }),
  })
  .meta({ id: 'UploadPart' });
export type UploadPart = z.infer<typeof uploadPartSchema>;

export const uploadReplySchema = z
  .strictObject({
    directory: field(
      z.string().nullable(),
      'Write the files below this directory, each under a temporary name, fsynced, then renamed; null when the store is not a directory.',
      '/srv/tandem/objects/runs/run-7k3m9q2d/checkpoints/a1/checkpoint-40',
    ),
    parts: field(
      z.record(z.string(), z.array(uploadPartSchema)).nullable(),
      'What is still to be sent of each file, by path: a file that is stored already has an empty list. Ask again to get fresh URLs for what is then missing. ' +
        'Null when the store is a directory, unless the step is committed already: then every list is empty.',
      null,
    ),
  })
  .meta({ id: 'UploadReply' });
export type UploadReply = z.infer<typeof uploadReplySchema>;

export const agentOperations = {
  getAttemptSpec: operation({
    method: 'get',
    path: '/agent/attempts/{id}/spec',
    tag: 'agent',
    summary: 'What to train, from where, and where to write',
    params: attemptParams,
    responses: [{ status: 200, description: 'The spec.', body: attemptSpecSchema }],
    problems: ['invalid-request', 'unauthorized', 'not-found', 'attempt-closed', 'unavailable'],
  }),
  postRecords: operation({
    method: 'post',
    path: '/agent/attempts/{id}/records',
    tag: 'agent',
    summary: 'Report records; also the heartbeat',
    description:
      'NDJSON, numbered consecutively. Records already stored are skipped, a gap is refused with `record-gap`. An empty body is a heartbeat.',
    params: attemptParams,
    body: { schema: z.array(recordSchema).max(10_000), media: ['application/x-ndjson'], required: false },
    responses: [{ status: 200, description: 'What is stored and what is wanted.', body: recordsReplySchema }],
    problems: [
      'invalid-request',
      'unauthorized',
      'not-found',
      'record-gap',
      'attempt-closed',
      'payload-too-large',
      'unsupported-media-type',
      'unavailable',
    ],
  }),
  postUploads: operation({
    method: 'post',
    path: '/agent/attempts/{id}/uploads',
    tag: 'agent',
    summary: 'Ask where the files of a checkpoint go',
    params: attemptParams,
    body: {
      schema: z
        .strictObject({
          step: field(z.int().min(0), 'Optimizer step of the checkpoint.', 40),
          files: field(z.array(uploadFileSchema).min(1).max(10_000), 'Its files.', [
            { path: 'optimizer.pt', size: 10 },
          ]),
        })
        .meta({ id: 'UploadRequest' }),
      media: ['application/json'],
      required: true,
    },
    responses: [{ status: 200, description: 'Where they go.', body: uploadReplySchema }],
    problems: [
      'invalid-request',
      'unauthorized',
      'not-found',
      'conflict',
      'attempt-closed',
      'payload-too-large',
      'unsupported-media-type',
      'store-refused',
      'unavailable',
    ],
  }),
  postCheckpoint: operation({
    method: 'post',
    path: '/agent/attempts/{id}/checkpoints',
    tag: 'agent',
    summary: 'Commit uploaded files as a checkpoint',
    description:
      'Checks presence and size of every file, then writes the manifest. Repeating the same commit answers the same; another one for the same step is a conflict.',
    params: attemptParams,
    body: { schema: commitSchema, media: ['application/json'], required: true },
    responses: [{ status: 200, description: 'The manifest as stored.', body: manifestSchema }],
    problems: [
      'invalid-request',
      'unauthorized',
      'not-found',
      'conflict',
      'checkpoint-unusable',
      'attempt-closed',
      'payload-too-large',
      'unsupported-media-type',
      'store-refused',
      'unavailable',
    ],
  }),
} as const;

export type AgentOperations = typeof agentOperations;
export type AgentOperationName = keyof AgentOperations;

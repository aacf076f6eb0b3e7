import { z } from 'zod';
import { field } from './field.ts';
import { metricValueSchema } from './record.ts';

/**
 * A checkpoint is a set of objects made real by `manifest.json`, which is written last and never changed (DESIGN 4.8).
 * Objects lie under `runs/<run>/checkpoints/a<attempt>/checkpoint-<step>/`.
 */
export const MANIFEST_SCHEMA = 'tandem.checkpoint/1';
export const MANIFEST_FILE = 'manifest.json';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 is 64 hexadecimal digits');
const filePath = z
  .string()
  .min(1)
  .max(512)
  .regex(/^(?!\/)(?!.*(^|\/)\.\.?(\/|$))[A-Za-z0-9._/-]+$/, 'a relative path without . or ..');

const MIB = 2 ** 20;
/** Limits of S3's multipart upload: a part has at least 5 MiB (the last one may be shorter), a file at most 10,000 parts. */
export const MIN_PART_SIZE = 5 * MIB;
export const MAX_PARTS = 10_000;
/** A file up to this size may be sent in one request. */
export const MAX_SINGLE_PUT = 5 * 1024 * MIB;

export const checkpointFileSchema = z
  .strictObject({
    path: field(filePath, 'Path inside the checkpoint.', 'model/adapter_model.safetensors'),
    size: field(z.int().min(0), 'Bytes.', 42_624),
    sha256: field(sha256, 'sha256 of the content, hexadecimal.', 'a'.repeat(64)),
    parts: field(
      z
        .strictObject({
          size: field(z.int().min(MIN_PART_SIZE), 'Bytes of each part but the last.', 16 * MIB),
          sha256: field(z.array(sha256).min(1).max(MAX_PARTS), 'sha256 of each part, in order.', ['c'.repeat(64)]),
        })
        .meta({ id: 'FileParts' })
        .optional(),
      'How it is cut into parts that are sent, fetched and verified apart; absent for a file that goes as one.',
      { size: 16 * MIB, sha256: ['c'.repeat(64)] },
    ),
  })
  .refine(({ size, parts }) => parts === undefined || parts.sha256.length === Math.ceil(size / parts.size), {
    path: ['parts', 'sha256'],
    error: 'holds one sha256 for each part: size / parts.size, rounded up',
  })
  .meta({ id: 'CheckpointFile' });
export type CheckpointFile = z.infer<typeof checkpointFileSchema>;
export type FileParts = NonNullable<CheckpointFile['parts']>;

/** Why a checkpoint was saved: `step` counts against `save_total_limit`, `best` and `final` do not; `stop` is a save on request. */
export const checkpointPurposes = ['step', 'best', 'final', 'stop'] as const;
export const checkpointPurposeSchema = z.enum(checkpointPurposes);
export type CheckpointPurpose = z.infer<typeof checkpointPurposeSchema>;

/** What a trainer sends to commit the files it has uploaded. */
export const commitSchema = z
  .strictObject({
    step: field(z.int().min(0), 'Optimizer step of the state.', 100),
    purposes: field(z.array(checkpointPurposeSchema).min(1), 'Why it was saved.', ['step', 'best']),
    policy_version: field(z.int().min(0), 'Which weights: how many updates the policy has had.', 100),
    record: field(z.int().min(0), 'Number of the last record that this state covers.', 412),
    epoch: field(z.number().min(0), 'Passes over the data so far.', 0.5),
    best_metric: field(z.number().nullable(), 'Best value so far of the metric that decides.', 0.65),
    metrics: field(z.record(z.string(), metricValueSchema), 'Latest metrics.', { loss: 0.234 }),
    inputs: field(
      z.record(z.string(), sha256),
      'sha256 of what it was trained from: `model`, `tokenizer`, `train_data`; `reward` where it is a file.',
      { model: 'b'.repeat(64) },
    ),
    files: field(z.array(checkpointFileSchema).min(1).max(10_000), 'Every file of the checkpoint.', [
      { path: 'optimizer.pt', size: 10, sha256: 'a'.repeat(64) },
    ]),
  })
  .meta({ id: 'CheckpointCommit', description: 'Makes uploaded files a checkpoint.' });
export type CheckpointCommit = z.infer<typeof commitSchema>;

export const manifestSchema = z
  .strictObject({
    schema: field(z.literal(MANIFEST_SCHEMA), 'Format of the manifest.', MANIFEST_SCHEMA),
    run: field(z.string(), 'Run that saved it.', 'run-7k3m9q2d'),
    attempt: field(z.int().min(1), 'Attempt that saved it.', 1),
    name: field(z.string(), '`checkpoint-<step>`.', 'checkpoint-100'),
    created_at: field(z.iso.datetime(), 'When it was committed.', '2026-11-20T09:00:00.000Z'),
    ...commitSchema.shape,
  })
  .meta({ id: 'Manifest', description: 'What makes a set of objects a checkpoint.' });
export type Manifest = z.infer<typeof manifestSchema>;

/**
 * `training_state.json` (requirement C1). Absent keys of older files read as 0, 0.0 or null, and unknown ones are kept:
 * trainers of other origins write more.
 */
export const trainingStateSchema = z.looseObject({
  global_step: z.int().min(0).default(0),
  epoch: z.number().min(0).default(0),
  best_metric: z.number().nullable().default(null),
  best_accuracy: z.number().default(0),
  best_model_path: z.string().nullable().default(null),
  best_step: z.int().nullable().default(null),
  evals_without_improvement: z.int().min(0).default(0),
  samples: z.int().min(0).default(0),
  policy_version: z.int().min(0).default(0),
  data_position: z.object({ epoch: z.int().min(0), offset: z.int().min(0) }).default({ epoch: 0, offset: 0 }),
  elapsed_seconds: z.number().min(0).default(0),
  last_eval_step: z.int().nullable().default(null),
  /**
   * Tasks whose rollouts were asked for ahead of training and that no step has learned from, by their places in the data counted on over epochs: they are the first
   * that a resumed run plays. Left out by runs that never had any.
   */
  rollouts_ahead: z.array(z.int().min(0)).optional(),
});
export type TrainingState = z.infer<typeof trainingStateSchema>;

/** `training_metadata.json` (requirement C1): what a person or a script reads to choose among checkpoints. */
export const trainingMetadataSchema = z.looseObject({
  step: z.int().min(0),
  accuracy: z.number().nullable(),
  metrics: z.record(z.string(), metricValueSchema.nullable()),
  config: z.record(z.string(), z.unknown()),
});
export type TrainingMetadata = z.infer<typeof trainingMetadataSchema>;

/** A checkpoint as the API lists it. */
export const checkpointSchema = z
  .strictObject({
    name: field(
      z.string(),
      "Name on the run's lineage, or `a<attempt>/checkpoint-<step>` when off it.",
      'checkpoint-100',
    ),
    attempt: field(z.int(), 'Attempt that saved it.', 1),
    step: field(z.int(), 'Optimizer step.', 100),
    aliases: field(z.array(z.enum(['latest', 'best', 'final'])), 'Other names it answers to.', ['latest', 'best']),
    purposes: field(z.array(checkpointPurposeSchema), 'Why it was saved.', ['step']),
    on_lineage: field(z.boolean(), 'Whether the current attempt descends from it.', true),
    policy_version: field(z.int(), 'Which weights.', 100),
    size: field(z.int(), 'Bytes of all its files.', 1_234_567),
    created_at: field(z.iso.datetime(), 'When it was committed.', '2026-11-20T09:00:00.000Z'),
    metrics: field(z.record(z.string(), metricValueSchema), 'Metrics at its step.', { loss: 0.234 }),
    pinned: field(z.boolean(), 'Whether a user has pinned it; retention never deletes what is pinned.', false),
    parent: field(
      z.string().nullable(),
      'Checkpoint that its attempt resumed from, as `<run>/a<attempt>/checkpoint-<step>` or a folder; null from the beginning.',
      'run-7k3m9q2d/a1/checkpoint-40',
    ),
    files: field(z.array(checkpointFileSchema), 'Its files.', [
      { path: 'optimizer.pt', size: 10, sha256: 'a'.repeat(64) },
    ]),
  })
  .meta({ id: 'Checkpoint', description: 'A stored checkpoint.' });
export type Checkpoint = z.infer<typeof checkpointSchema>;

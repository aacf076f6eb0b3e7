import { z } from 'zod';
import { checkpointSchema } from './checkpoint.ts';
import { checkpointExportSchema } from './checkpoint-export.ts';
import { importReportSchema, importRequestSchema, retentionReportSchema } from './checkpoint-requests.ts';
import { field } from './field.ts';
import { operation } from './operation.ts';
import { checkpointName, FILE_MEDIA, flag, idempotency, JSON_OR_YAML, runParams } from './operation-parts.ts';

/** Checkpoints: listing, fetching, keeping, deleting and importing them. */
export const checkpointOperations = {
  listCheckpoints: operation({
    method: 'get',
    path: '/runs/{id}/checkpoints',
    tag: 'checkpoints',
    summary: 'Checkpoints of a run, newest first',
    params: runParams,
    responses: [
      {
        status: 200,
        description: 'Checkpoints.',
        body: z
          .strictObject({ checkpoints: field(z.array(checkpointSchema), 'Newest first.', []) })
          .meta({ id: 'CheckpointList' }),
      },
    ],
    problems: ['invalid-request', 'not-found'],
  }),
  getCheckpoint: operation({
    method: 'get',
    path: '/runs/{id}/checkpoints/{name}',
    tag: 'checkpoints',
    summary: 'A checkpoint with its files',
    params: runParams.extend({ name: checkpointName }),
    responses: [{ status: 200, description: 'The checkpoint.', body: checkpointSchema }],
    problems: ['invalid-request', 'not-found'],
  }),
  deleteCheckpoint: operation({
    method: 'delete',
    path: '/runs/{id}/checkpoints/{name}',
    tag: 'checkpoints',
    summary: 'Delete a checkpoint',
    description:
      'Refused for what is pinned, for what a run under way, queued or paused starts from, resumes from or trains on, and for what a fork has ' +
      'inherited, which is deleted from the run that saved it.',
    params: runParams.extend({ name: checkpointName }),
    responses: [{ status: 204, description: 'It is gone.', media: [] }],
    problems: ['invalid-request', 'not-found', 'conflict', 'unavailable'],
  }),
  pinCheckpoint: operation({
    method: 'post',
    path: '/runs/{id}/checkpoints/{name}/pin',
    tag: 'checkpoints',
    summary: 'Keep a checkpoint, whatever retention says',
    description:
      'The pin lies beside the checkpoint in the object store, so it survives the database. What a fork has inherited is pinned in the run that saved it.',
    params: runParams.extend({ name: checkpointName }),
    responses: [{ status: 200, description: 'The checkpoint, pinned.', body: checkpointSchema }],
    problems: ['invalid-request', 'not-found', 'conflict', 'unavailable'],
  }),
  unpinCheckpoint: operation({
    method: 'delete',
    path: '/runs/{id}/checkpoints/{name}/pin',
    tag: 'checkpoints',
    summary: 'Leave a checkpoint to retention again',
    params: runParams.extend({ name: checkpointName }),
    responses: [{ status: 200, description: 'The checkpoint, no longer pinned.', body: checkpointSchema }],
    problems: ['invalid-request', 'not-found', 'conflict', 'unavailable'],
  }),
  pruneCheckpoints: operation({
    method: 'post',
    path: '/runs/{id}/checkpoints/prune',
    tag: 'checkpoints',
    summary: 'Apply retention now, or see what it would do',
    description:
      'Retention runs by itself after each save; this does the same. `dry_run=true` only answers what would stay and go, and why.',
    params: runParams,
    query: z.object({ dry_run: flag('Change nothing.') }),
    responses: [{ status: 200, description: 'What stays and what goes.', body: retentionReportSchema }],
    problems: ['invalid-request', 'not-found', 'unavailable'],
  }),
  getCheckpointArchive: operation({
    method: 'get',
    path: '/runs/{id}/checkpoints/{name}/archive',
    tag: 'checkpoints',
    summary: 'A checkpoint as one tar file',
    description:
      'Streamed from the store without a temporary file; `manifest.json` comes first, and each file is checked against it. A transfer that breaks ' +
      'off before its Content-Length met a damaged file or a store that failed; what was damaged never comes whole.',
    params: runParams.extend({ name: checkpointName }),
    responses: [
      { status: 200, description: 'A tar file with one folder, `<run>-<checkpoint>/`.', media: ['application/x-tar'] },
    ],
    problems: ['invalid-request', 'not-found', 'checkpoint-unusable', 'too-many-requests', 'unavailable'],
  }),
  exportCheckpoint: operation({
    method: 'get',
    path: '/runs/{id}/checkpoints/{name}/export',
    tag: 'checkpoints',
    summary: 'How to serve a checkpoint: its files and the vLLM command',
    description:
      'What of the checkpoint is needed to serve it, without what only training needs, and the command that does. `scripts/export.sh` fetches it.',
    params: runParams.extend({ name: checkpointName }),
    query: z.object({
      directory: field(
        z.string().min(1).max(1000).optional(),
        'Where the files will lie, for the command; `./<name>` by default.',
        '/srv/adapters/mine',
      ),
    }),
    responses: [{ status: 200, description: 'Files and command.', body: checkpointExportSchema }],
    problems: ['invalid-request', 'not-found', 'checkpoint-unusable', 'unavailable'],
  }),
  importCheckpoints: operation({
    method: 'post',
    path: '/checkpoints/import',
    tag: 'checkpoints',
    summary: 'Make a run of checkpoints that lie in a folder',
    description:
      'Takes a checkpoint folder (of Tandem, a PEFT adapter, of the Hugging Face Trainer, or an older layout) or a whole output folder with its logs and evaluations. ' +
      'The files are copied into the store with a manifest. The run is `paused`: resume it, or fork from it.',
    headers: idempotency,
    query: z.object({ dry_run: flag('Change nothing; answer what would be imported.') }),
    body: { schema: importRequestSchema, media: JSON_OR_YAML, required: true },
    responses: [
      { status: 200, description: 'With `dry_run`: what would be imported.', body: importReportSchema },
      { status: 201, description: 'What was imported, and as which run.', body: importReportSchema },
    ],
    problems: [
      'invalid-request',
      'invalid-spec',
      'cannot-place',
      'checkpoint-unusable',
      'conflict',
      'idempotency-mismatch',
      'payload-too-large',
      'unsupported-media-type',
      'unavailable',
    ],
  }),
  getCheckpointFile: operation({
    method: 'get',
    path: '/runs/{id}/checkpoints/{name}/files/{path+}',
    tag: 'checkpoints',
    summary: 'A file of a checkpoint',
    query: z.object({
      redirect: flag(
        'Answer with a link to the object store where it can be reached (TANDEM_S3_PUBLIC_URL); else the bytes are streamed all the same.',
      ),
    }),
    params: runParams.extend({
      name: checkpointName,
      path: field(z.string().min(1).max(512), 'Path inside the checkpoint.', 'model/adapter_config.json'),
    }),
    headers: z.object({
      range: field(z.string().max(200).optional(), 'One range of bytes.', 'bytes=0-1023'),
      'if-none-match': field(z.string().max(10_000).optional(), 'ETag that is already held.', `"${'a'.repeat(64)}"`),
      'if-range': field(z.string().max(200).optional(), 'ETag the range belongs to.', `"${'a'.repeat(64)}"`),
    }),
    responses: [
      { status: 200, description: 'The bytes; the ETag is their sha256.', media: FILE_MEDIA },
      { status: 206, description: 'The range of bytes that was asked for.', media: FILE_MEDIA },
      { status: 304, description: 'The file is the one that is already held.', media: [] },
      { status: 307, description: 'With `redirect`: the bytes are at `Location`, for an hour.', media: [] },
    ],
    problems: ['invalid-request', 'not-found', 'range-not-satisfiable', 'checkpoint-unusable', 'unavailable'],
  }),
} as const;

import { basename, extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Checkpoint, CheckpointFile, Manifest } from '../../contracts/checkpoint.ts';
import type { Operations } from '../../contracts/operations.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { checkpointPrefix } from '../checkpoints/checkpoint-keys.ts';
import { parseByteRange } from './byte-range.ts';
import { type Exchange, type Handlers, STREAMED } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

const contentTypes: Readonly<Record<string, string>> = {
  '.json': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

export interface CheckpointServices {
  /** Whether there is such a run. */
  hasRun: (run: string) => boolean;
  checkpoints: Pick<CheckpointService, 'list' | 'resolve'>;
  store: Pick<ObjectStore, 'head' | 'read'>;
}

type CheckpointHandlers = Pick<Handlers<Operations>, 'listCheckpoints' | 'getCheckpoint' | 'getCheckpointFile'>;

/** Checkpoints of a run and the bytes of their files. */
export function createCheckpointHandlers({ hasRun, checkpoints, store }: CheckpointServices): CheckpointHandlers {
  const requireRun = (run: string) => {
    if (!hasRun(run)) throw new ProblemError('not-found', `There is no run ${run}; GET /runs lists those there are.`);
  };
  const requireManifest = (run: string, name: string): Manifest => {
    requireRun(run);
    const manifest = checkpoints.resolve(run, name);
    if (manifest !== undefined) return manifest;
    throw new ProblemError(
      'not-found',
      `${run} has no checkpoint ${name}; GET /runs/${run}/checkpoints lists those there are.`,
    );
  };

  return {
    listCheckpoints: async ({ params: { id } }) => {
      requireRun(id);
      return { status: 200, body: { checkpoints: checkpoints.list(id) } };
    },

    getCheckpoint: async ({ params: { id, name } }) => {
      const manifest = requireManifest(id, name);
      const own = checkpoints.list(id).find((one) => one.attempt === manifest.attempt && one.step === manifest.step);
      // A fork's lineage goes on in its parent, whose checkpoints are not in its own list.
      const body = manifest.run === id && own !== undefined ? own : viewInherited(manifest, name);
      return { status: 200, body };
    },

    getCheckpointFile: async ({ params: { id, name, path } }, exchange) => {
      const manifest = requireManifest(id, name);
      // Only what the manifest names is served, so no path can lead anywhere else.
      const file = manifest.files.find((one) => one.path === path);
      if (file === undefined) {
        throw new ProblemError(
          'not-found',
          `${manifest.name} of ${id} has no file ${path}; GET /runs/${id}/checkpoints/${name} lists those there are.`,
        );
      }
      await sendFile(exchange, store, file, checkpointPrefix(manifest) + file.path);
      return STREAMED;
    },
  };
}

const aliases = ['latest', 'best', 'final'] as const;

function viewInherited({ files, ...manifest }: Manifest, name: string): Checkpoint {
  const { attempt, step, purposes, policy_version, created_at, metrics } = manifest;
  return {
    name: manifest.name,
    attempt,
    step,
    aliases: aliases.filter((alias) => alias === name),
    purposes,
    on_lineage: true,
    policy_version,
    size: files.reduce((sum, { size }) => sum + size, 0),
    created_at,
    metrics,
    pinned: false,
    parent: null,
    files,
  };
}

async function sendFile(
  { request, response, signal }: Exchange,
  store: CheckpointServices['store'],
  file: CheckpointFile,
  key: string,
): Promise<void> {
  const etag = `"${file.sha256}"`;
  response.setHeader('ETag', etag);
  // A name such as `latest` may mean other bytes tomorrow: kept copies are asked about each time.
  response.setHeader('Cache-Control', 'private, no-cache');
  response.setHeader('Accept-Ranges', 'bytes');
  if (holds(request.headers['if-none-match'], etag)) {
    response.status(304).end();
    return;
  }
  const stored = await store.head(key);
  if (stored?.size !== file.size) {
    throw new ProblemError(
      'checkpoint-unusable',
      `${file.path} is ${stored === null ? 'missing from' : 'damaged in'} the object store; use an older checkpoint.`,
    );
  }
  const ifRange = request.headers['if-range'];
  const range = ifRange === undefined || ifRange === etag ? parseByteRange(request.headers.range, file.size) : null;
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${file.size}`);
    const most = file.size === 0 ? 'none' : `bytes=0-${file.size - 1}`;
    throw new ProblemError('range-not-satisfiable', `The file has ${file.size} bytes; ask for a range within ${most}.`);
  }
  response.setHeader('Content-Type', contentTypes[extname(file.path)] ?? 'application/octet-stream');
  response.setHeader('Content-Disposition', `attachment; filename="${basename(file.path)}"`);
  response.setHeader('Content-Length', range === null ? file.size : range.end - range.start + 1);
  if (range !== null) response.status(206).setHeader('Content-Range', `bytes ${range.start}-${range.end}/${file.size}`);
  if (request.method === 'HEAD' || file.size === 0) {
    response.end();
    return;
  }
  try {
    await pipeline(store.read(key, range ?? undefined), response, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Whether an If-None-Match header names the tag (RFC 9110, 13.1.2: weak comparison). */
function holds(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}

import { isDeepStrictEqual } from 'node:util';
import {
  type CheckpointCommit,
  type CheckpointFile,
  commitSchema,
  MANIFEST_FILE,
  MANIFEST_SCHEMA,
  type Manifest,
} from '../../contracts/checkpoint.ts';
import { eachLimited } from '../../platform/each-limited.ts';
import { InvalidObjectKeyError, type ObjectStore } from '../../platform/object-store.ts';
import { ProblemError } from '../api/problem-error.ts';
import { type CheckpointId, checkpointPrefix, manifestKey, PIN_FILE } from './checkpoint-keys.ts';
import { joinUploads } from './join-uploads.ts';
import { readManifest } from './read-manifest.ts';
import { syncFiles } from './sync-files.ts';
import type { Uploads } from './uploads.ts';

const CHECKS_AT_ONCE = 16;

/**
 * Makes uploaded files a checkpoint: files in parts are joined, every file is there with its size, then `manifest.json` is put where there is none. Repeating a commit
 * answers the manifest that is stored; another one for the same step is a conflict, and the stored one stays.
 * `stillOpen` is asked right before the manifest is written: a closed attempt must not add to the run.
 */
export async function commitCheckpoint({
  store,
  uploads,
  run,
  attempt,
  commit,
  createdAt,
  stillOpen,
}: {
  store: ObjectStore;
  uploads: Uploads;
  run: string;
  attempt: number;
  commit: CheckpointCommit;
  createdAt: string;
  stillOpen: () => void;
}): Promise<Manifest> {
  const id = { run, attempt, step: commit.step };
  refuseOddPaths(id, commit.files);
  const existing = await readManifest(store, id);
  if (existing !== null) return sameOrConflict(existing, commit);
  const { transfers } = store;
  if (transfers !== null) await joinUploads({ transfers, uploads, id }, commit.files);
  await checkFiles(store, id, commit.files);
  const directory = store.localDirectory(checkpointPrefix(id));
  if (directory !== null)
    await syncFiles(
      directory,
      commit.files.map(({ path }) => path),
    );
  const manifest: Manifest = {
    schema: MANIFEST_SCHEMA,
    run,
    attempt,
    name: `checkpoint-${commit.step}`,
    created_at: createdAt,
    ...commit,
  };
  stillOpen();
  const outcome = await store.putIfAbsent(manifestKey(id), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  if (outcome === 'created') return manifest;
  const winner = await readManifest(store, id);
  if (winner === null) throw new ProblemError('unavailable', `${manifest.name} is being deleted; commit it again.`);
  return sameOrConflict(winner, commit);
}

function sameOrConflict(existing: Manifest, commit: CheckpointCommit): Manifest {
  const { schema: _schema, run: _run, attempt: _attempt, name, created_at: _created, ...stored } = existing;
  if (isDeepStrictEqual(commitSchema.parse(stored), commitSchema.parse(commit))) return existing;
  throw new ProblemError(
    'conflict',
    `${name} of this attempt is already committed with other content; a checkpoint never changes, so save the next one at a later step.`,
  );
}

function refuseOddPaths({ step }: CheckpointId, files: readonly CheckpointFile[]): void {
  const seen = new Set<string>();
  for (const { path } of files) {
    const reserved = path === MANIFEST_FILE || path === PIN_FILE;
    if (reserved || seen.has(path)) {
      throw new ProblemError(
        'checkpoint-unusable',
        reserved
          ? `checkpoint-${step}: ${path} is written by the control plane; leave it out of the files.`
          : `checkpoint-${step}: ${path} is listed twice; list each file once.`,
      );
    }
    seen.add(path);
  }
}

async function checkFiles(store: ObjectStore, id: CheckpointId, files: readonly CheckpointFile[]): Promise<void> {
  await eachLimited(files, CHECKS_AT_ONCE, (file) => checkFile(store, id, file));
}

async function checkFile(store: ObjectStore, id: CheckpointId, { path, size }: CheckpointFile): Promise<void> {
  const found = await store.head(checkpointPrefix(id) + path).catch((error: unknown) => {
    if (error instanceof InvalidObjectKeyError) throw new ProblemError('checkpoint-unusable', error.message);
    throw error;
  });
  if (found?.size === size) return;
  throw new ProblemError(
    'checkpoint-unusable',
    found === null
      ? `checkpoint-${id.step}: ${path} was not uploaded; upload it and commit again.`
      : `checkpoint-${id.step}: ${path} has ${found.size} bytes where ${size} were announced; upload it again and commit again.`,
  );
}

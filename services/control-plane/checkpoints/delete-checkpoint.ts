import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_FILE } from '../../contracts/checkpoint.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { type CheckpointId, checkpointOfKey, checkpointPrefix, manifestKey, runPrefix } from './checkpoint-keys.ts';

/**
 * Deletes a checkpoint: the manifest first, so that from then on it does not exist, whatever becomes of the rest. `forget` runs between the two.
 */
export async function deleteCheckpoint(store: ObjectStore, id: CheckpointId, forget: () => void): Promise<void> {
  await store.delete(manifestKey(id));
  forget();
  await deleteFiles(store, id);
}

/** Deletes files that no manifest makes a checkpoint: of uploads and deletions that were cut short. Skips the open attempt, which may be uploading. */
export async function sweepFiles(store: ObjectStore, run: string, openAttempt: number | null): Promise<CheckpointId[]> {
  const swept: CheckpointId[] = [];
  for (const id of await findUncommitted(store, run)) {
    if (id.attempt === openAttempt) continue;
    await deleteFiles(store, id);
    swept.push(id);
  }
  return swept;
}

/** Every checkpoint of a run that has a manifest in the store. */
export async function findCommitted(store: ObjectStore, run: string): Promise<CheckpointId[]> {
  const found: CheckpointId[] = [];
  for await (const { key } of store.list(runPrefix(run))) {
    const id = checkpointOfKey(key);
    if (id !== null && key === manifestKey(id)) found.push(id);
  }
  return found;
}

async function findUncommitted(store: ObjectStore, run: string): Promise<CheckpointId[]> {
  const byPrefix = new Map<string, { id: CheckpointId; committed: boolean }>();
  const note = (key: string) => {
    const id = checkpointOfKey(key);
    if (id === null) return;
    const prefix = checkpointPrefix(id);
    const committed = key === prefix + MANIFEST_FILE || byPrefix.get(prefix)?.committed === true;
    byPrefix.set(prefix, { id, committed });
  };
  for (const prefix of await localPrefixes(store, run)) note(prefix);
  for await (const { key } of store.list(runPrefix(run))) note(key);
  return [...byPrefix.values()].filter(({ committed }) => !committed).map(({ id }) => id);
}

/** Directories that hold nothing but temporary names are no objects, yet they fill the disk. */
async function localPrefixes(store: ObjectStore, run: string): Promise<string[]> {
  const directory = store.localDirectory(runPrefix(run));
  if (directory === null) return [];
  const attempts = await readdir(directory).catch(() => []);
  const nested = await Promise.all(
    attempts.map(async (attempt) => {
      const names = await readdir(join(directory, attempt)).catch(() => []);
      return names.map((name) => `${runPrefix(run)}${attempt}/${name}/`);
    }),
  );
  return nested.flat();
}

async function deleteFiles(store: ObjectStore, id: CheckpointId): Promise<void> {
  const directory = store.localDirectory(checkpointPrefix(id));
  if (directory !== null) {
    await rm(directory, { recursive: true, force: true });
    return;
  }
  for await (const { key } of store.list(checkpointPrefix(id))) await store.delete(key);
}

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_FILE } from '../../contracts/checkpoint.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { type CheckpointId, checkpointOfKey, checkpointPrefix, manifestKey, pinKey, runPrefix } from './checkpoint-keys.ts';

/**
 * Deletes a checkpoint: the manifest first, so that from then on it does not exist, whatever becomes of the rest. `forget` runs between the two.
 */
export async function deleteCheckpoint(store: ObjectStore, id: CheckpointId, forget: () => void): Promise<void> {
  await store.delete(manifestKey(id));
  forget();
  await deleteFiles(store, id);
}

/** Deletes what `planSweep` names. */
export async function sweepFiles(store: ObjectStore, run: string, openAttempt: number | null): Promise<CheckpointId[]> {
  const swept = await planSweep(store, run, openAttempt);
  for (const id of swept) await deleteFiles(store, id);
  return swept;
}

/** Files that no manifest makes a checkpoint: of uploads and deletions that were cut short. Skips the open attempt, which may be uploading. */
export async function planSweep(store: ObjectStore, run: string, openAttempt: number | null): Promise<CheckpointId[]> {
  return (await findUncommitted(store, run)).filter(({ attempt }) => attempt !== openAttempt);
}

/** Every checkpoint of a run that has a manifest in the store, and every pin. Lists all its objects, once. */
export async function findCommitted(
  store: ObjectStore,
  run: string,
): Promise<{ committed: CheckpointId[]; pinned: CheckpointId[] }> {
  const committed: CheckpointId[] = [];
  const pinned: CheckpointId[] = [];
  for await (const { key } of store.list(runPrefix(run))) {
    const id = checkpointOfKey(key);
    if (id === null) continue;
    if (key === manifestKey(id)) committed.push(id);
    if (key === pinKey(id)) pinned.push(id);
  }
  return { committed, pinned };
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

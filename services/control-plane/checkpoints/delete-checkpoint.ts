import { rm } from 'node:fs/promises';
import type { ObjectStore } from '../../platform/object-store.ts';
import { type CheckpointId, checkpointPrefix, manifestKey } from './checkpoint-keys.ts';

/**
 * Deletes a checkpoint: the manifest first, so that from then on it does not exist, whatever becomes of the rest. `forget` runs between the two.
 */
export async function deleteCheckpoint(store: ObjectStore, id: CheckpointId, forget: () => void): Promise<void> {
  await store.delete(manifestKey(id));
  forget();
  await deleteFiles(store, id);
}

/** Deletes every object of what is no checkpoint. */
export async function deleteFiles(store: ObjectStore, id: CheckpointId): Promise<void> {
  const directory = store.localDirectory(checkpointPrefix(id));
  if (directory !== null) {
    await rm(directory, { recursive: true, force: true });
    return;
  }
  for await (const { key } of store.list(checkpointPrefix(id))) await store.delete(key);
}

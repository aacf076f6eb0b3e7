import { rm } from 'node:fs/promises';
import { eachLimited } from '../../platform/each-limited.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { type CheckpointId, checkpointPrefix, manifestKey } from './checkpoint-keys.ts';
import { abortUploads } from './request-upload.ts';
import type { Uploads } from './uploads.ts';

const OBJECTS_AT_ONCE = 16;

interface DeleteOptions {
  store: ObjectStore;
  uploads: Uploads;
}

/**
 * Deletes a checkpoint: the manifest first, so that from then on it does not exist, whatever becomes of the rest. `forget` runs between the two.
 * That it is being deleted is noted before, so that the rest goes even when this is cut short.
 */
export async function deleteCheckpoint(options: DeleteOptions, id: CheckpointId, forget: () => void): Promise<void> {
  options.uploads.begin(id, 0);
  await options.store.delete(manifestKey(id));
  forget();
  await deleteFiles(options, id);
}

/** Deletes every object of what is no checkpoint, and what was sent of files that never became objects. */
export async function deleteFiles({ store, uploads }: DeleteOptions, id: CheckpointId): Promise<void> {
  const prefix = checkpointPrefix(id);
  const { transfers } = store;
  const directory = store.localDirectory(prefix);
  if (directory !== null) await rm(directory, { recursive: true, force: true });
  else {
    const keys: string[] = [];
    for await (const { key } of store.list(prefix)) keys.push(key);
    await eachLimited(keys, OBJECTS_AT_ONCE, (key) => store.delete(key));
  }
  if (transfers !== null) {
    for (const file of uploads.files(id)) await abortUploads(transfers, prefix + file.path, file);
    for await (const { key, uploadId } of transfers.unfinished(prefix)) await transfers.abort(key, uploadId);
  }
  uploads.settle(id);
}

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectStore } from '../../platform/object-store.ts';
import {
  type CheckpointId,
  checkpointOfKey,
  checkpointPrefix,
  manifestKey,
  pinKey,
  runPrefix,
} from './checkpoint-keys.ts';

/** What the store holds of the checkpoints of a run. */
export interface Survey {
  /** Those that have a manifest. */
  committed: CheckpointId[];
  /** Those of which there are only files. */
  loose: CheckpointId[];
  /** Those with a pin beside them, whether they have a manifest or not. */
  pinned: CheckpointId[];
}

/** One pass over the objects of a run: its cost grows with their number (S3 answers 1,000 keys a request), not with their size or with other runs. */
export async function surveyCheckpoints(store: ObjectStore, run: string): Promise<Survey> {
  const found = new Map<string, { id: CheckpointId; committed: boolean }>();
  const pinned: CheckpointId[] = [];
  const note = (key: string) => {
    const id = checkpointOfKey(key);
    if (id === null) return;
    if (key === pinKey(id)) pinned.push(id);
    const prefix = checkpointPrefix(id);
    const committed = key === manifestKey(id) || found.get(prefix)?.committed === true;
    found.set(prefix, { id, committed });
  };
  for (const prefix of await localPrefixes(store, run)) note(prefix);
  for await (const { key } of store.list(runPrefix(run))) note(key);
  const all = [...found.values()];
  return {
    committed: all.filter(({ committed }) => committed).map(({ id }) => id),
    loose: all.filter(({ committed }) => !committed).map(({ id }) => id),
    pinned,
  };
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

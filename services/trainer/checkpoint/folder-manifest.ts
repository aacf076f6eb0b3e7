import { stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { MANIFEST_FILE, MANIFEST_SCHEMA, type Manifest, manifestSchema } from '../../contracts/checkpoint.ts';
import { locateCheckpoint } from './locate-checkpoint.ts';
import { readCheckpointJson } from './read-json.ts';

/** A checkpoint folder that somebody named, and what was recorded of it when it was saved. */
export interface CheckpointFolder {
  readonly directory: string;
  /** Null: nothing that it could be verified against lies in it. */
  readonly manifest: Manifest | null;
}

/**
 * Finds the checkpoint in a folder, and the manifest that Tandem puts beside its files. Other programs also call a file `manifest.json`: one that does
 * not name our schema is none.
 *
 * @throws CheckpointError `invalid_file` when the manifest is damaged, and as `locateCheckpoint`.
 */
export async function openCheckpointFolder(directory: string): Promise<CheckpointFolder> {
  // Before its weights are looked for: that they are missing is then said of the checkpoint, not of a folder that holds none.
  const own = await readManifest(directory);
  if (own !== null) return { directory, manifest: own };
  const located = await locateCheckpoint(directory);
  if (located.directory === directory) return { directory, manifest: null };
  return { directory: located.directory, manifest: await readManifest(located.directory) };
}

const anySchema = z.looseObject({ schema: z.unknown().optional() });
const family = MANIFEST_SCHEMA.slice(0, MANIFEST_SCHEMA.indexOf('/') + 1);

async function readManifest(directory: string): Promise<Manifest | null> {
  const file = path.join(directory, MANIFEST_FILE);
  const there = await stat(file).then(
    (entry) => entry.isFile(),
    () => false,
  );
  if (!there) return null;
  const { schema } = await readCheckpointJson(file, anySchema);
  if (typeof schema !== 'string' || !schema.startsWith(family)) return null;
  return readCheckpointJson(file, manifestSchema);
}

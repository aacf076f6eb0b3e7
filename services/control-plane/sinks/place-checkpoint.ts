import { createWriteStream } from 'node:fs';
import { lstat, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { MANIFEST_FILE, type Manifest } from '../../contracts/checkpoint.ts';
import { makeDirectory } from '../../platform/atomic-file.ts';
import { allInSlots, createSlots } from '../../platform/transfer/slots.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { linkOrCopy } from '../checkpoints/fetch-file.ts';
import { parseManifest } from '../checkpoints/read-manifest.ts';
import { syncFiles } from '../checkpoints/sync-files.ts';

/** Files that are handled at a time, and requests for all of them together. */
const FILES_AT_ONCE = 8;
const REQUESTS_AT_ONCE = 4;

/**
 * Builds a copy of a checkpoint, its manifest included, in `directory`, going on with what an earlier call has left there. What another directory of
 * the tree (`beside`) holds of it already is linked from there. All of it is on disk when this returns.
 */
export async function buildCheckpoint(
  checkpoints: Pick<CheckpointService, 'fetchFile' | 'read'>,
  manifest: Manifest,
  { directory, beside, signal }: { directory: string; beside: string | null; signal: AbortSignal },
): Promise<void> {
  const slots = createSlots(REQUESTS_AT_ONCE);
  await allInSlots(manifest.files, createSlots(FILES_AT_ONCE), signal, async (file, stop) => {
    const to = join(directory, file.path);
    const source = beside === null ? null : join(beside, file.path);
    if (source !== null && (await sizeOf(source)) === file.size && (await sizeOf(to)) !== file.size) {
      await makeDirectory(dirname(to));
      await linkOrCopy(source, to, file, stop);
    } else await checkpoints.fetchFile(manifest, file, to, { signal: stop, slots });
  });
  await makeDirectory(directory);
  // Under another name until it is whole: what has a manifest is a checkpoint, also where this process was killed.
  const unfinished = join(directory, `${MANIFEST_FILE}.part`);
  await pipeline(checkpoints.read(manifest, MANIFEST_FILE), createWriteStream(unfinished), { signal });
  await rename(unfinished, join(directory, MANIFEST_FILE));
  await syncFiles(directory, [...manifest.files.map(({ path }) => path), MANIFEST_FILE]);
}

/** The manifest of a placed checkpoint; null for a directory that is absent or was not placed by this module. */
export async function placedManifest(directory: string): Promise<Manifest | null> {
  try {
    return parseManifest(await readFile(join(directory, MANIFEST_FILE)));
  } catch {
    return null;
  }
}

async function sizeOf(path: string): Promise<number | null> {
  const found = await lstat(path).catch(() => null);
  return found?.isFile() ? found.size : null;
}

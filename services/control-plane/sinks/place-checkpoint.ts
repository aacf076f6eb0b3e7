import { constants, createWriteStream } from 'node:fs';
import { copyFile, link, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { MANIFEST_FILE, type Manifest, manifestSchema } from '../../contracts/checkpoint.ts';
import { makeDirectory } from '../../platform/atomic-file.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { syncFiles } from '../checkpoints/sync-files.ts';

/**
 * Builds a copy of a checkpoint, its manifest included, in `directory`, which must not exist yet: hard links where the store is on the same file
 * system, else copies. All of it is on disk when this returns.
 */
export async function buildCheckpoint(
  checkpoints: Pick<CheckpointService, 'directory' | 'read'>,
  manifest: Manifest,
  directory: string,
): Promise<void> {
  const source = checkpoints.directory(manifest);
  const paths = [...manifest.files.map(({ path }) => path), MANIFEST_FILE];
  for (const path of paths) {
    const to = join(directory, path);
    await makeDirectory(dirname(to));
    if (source === null) await pipeline(checkpoints.read(manifest, path), createWriteStream(to, { flags: 'wx' }));
    else await linkOrCopy(join(source, path), to);
  }
  await syncFiles(directory, paths);
}

/** The manifest of a placed checkpoint; null for a directory that is absent or was not placed by this module. */
export async function placedManifest(directory: string): Promise<Manifest | null> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(join(directory, MANIFEST_FILE), 'utf8')));
  } catch {
    return null;
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK' && code !== 'ENOTSUP') throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL);
  }
}

import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import path from 'node:path';
import type { CheckpointFile } from '../../contracts/checkpoint.ts';
import { hashFile } from '../../platform/transfer/hash-file.ts';
import { CheckpointError } from './checkpoint-error.ts';

/**
 * Checks that every file is there with the size and sha256 that the manifest says; sizes first, since they cost nothing.
 * @throws CheckpointError `missing_file`, `size_mismatch` or `hash_mismatch`, with what was expected and what is there.
 */
export async function verifyFiles(directory: string, files: readonly CheckpointFile[]): Promise<void> {
  for (const file of files) await verifySize(path.join(directory, file.path), file);
  for (const file of files) await verifyHash(path.join(directory, file.path), file);
}

async function verifySize(at: string, { size }: CheckpointFile): Promise<void> {
  const found = await lstat(at).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined;
    throw cause;
  });
  if (!found?.isFile())
    throw new CheckpointError('missing_file', at, 'is missing; the manifest lists it. Resume from another checkpoint');
  if (found.size !== size) {
    throw new CheckpointError(
      'size_mismatch',
      at,
      `has ${found.size} bytes, the manifest says ${size}. Resume from another checkpoint`,
    );
  }
}

async function verifyHash(at: string, { sha256 }: CheckpointFile): Promise<void> {
  const handle = await open(at, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const found = await hashFile(handle, null);
    if (found.sha256 === sha256) return;
    throw new CheckpointError(
      'hash_mismatch',
      at,
      `has sha256 ${found.sha256}, the manifest says ${sha256}. Resume from another checkpoint`,
    );
  } finally {
    await handle.close();
  }
}

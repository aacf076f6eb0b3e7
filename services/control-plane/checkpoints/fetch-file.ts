import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { CheckpointFile } from '../../contracts/checkpoint.ts';
import { makeDirectory, syncDirectory } from '../../platform/atomic-file.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { downloadFile } from '../../platform/transfer/download-file.ts';
import type { Slots } from '../../platform/transfer/slots.ts';
import { TransferError } from '../../platform/transfer/transfer-error.ts';
import { ProblemError } from '../api/problem-error.ts';

/** How long links to the files of a checkpoint hold. */
export const LINK_SECONDS = 12 * 3600;

export interface FetchOptions {
  signal: AbortSignal;
  /** Shared by all files that are fetched together. */
  slots: Slots;
}

/**
 * Puts a file of a checkpoint at `to`, whole or not at all; one of the right size that is there already is left as it is. Where the store is a
 * directory on the same file system it is a hard link, on another one a copy whose hash is checked; else it is downloaded in parts that are checked,
 * and one that was broken off goes on.
 * @throws ProblemError checkpoint-unusable when the bytes are not those of the manifest, unavailable when the store cannot be reached
 */
export async function fetchFile(
  store: ObjectStore,
  key: string,
  file: CheckpointFile,
  to: string,
  options: FetchOptions,
): Promise<void> {
  if ((await stat(to).catch(() => null))?.size === file.size) return;
  await makeDirectory(dirname(to));
  const from = store.localDirectory(key);
  if (from !== null) await options.slots(() => linkOrCopy(from, to, file, options.signal));
  else await download(store, key, file, to, options);
}

/** A hard link, or a checked copy where there can be none; what has its name is on disk. Throws checkpoint-unusable for what is absent or damaged. */
export async function linkOrCopy(from: string, to: string, file: CheckpointFile, signal: AbortSignal): Promise<void> {
  try {
    await link(from, to).catch(async (error: unknown) => {
      if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP'].includes(codeOf(error))) throw error;
      await copyChecked(from, to, file, signal);
    });
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw unusable(file, 'is missing');
  }
}

async function copyChecked(from: string, to: string, file: CheckpointFile, signal: AbortSignal): Promise<void> {
  const unfinished = `${to}.part`;
  const hash = createHash('sha256');
  const source = createReadStream(from).on('data', (chunk) => hash.update(chunk));
  await pipeline(source, createWriteStream(unfinished), { signal });
  if (hash.digest('hex') !== file.sha256) {
    await rm(unfinished, { force: true });
    throw unusable(file, 'is damaged (its sha256 differs)');
  }
  // Whoever finds the name later looks at the size alone.
  await syncFile(unfinished);
  await rename(unfinished, to);
  await syncDirectory(dirname(to));
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function unusable({ path }: CheckpointFile, why: string): ProblemError {
  return new ProblemError('checkpoint-unusable', `${path} of that checkpoint ${why}; choose another checkpoint.`);
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

async function download(
  { transfers }: ObjectStore,
  key: string,
  file: CheckpointFile,
  to: string,
  options: FetchOptions,
): Promise<void> {
  if (transfers === null) throw new ProblemError('unavailable', 'This object store hands out no files.');
  const url = await transfers.link(key, { seconds: LINK_SECONDS, audience: 'trainer' });
  try {
    await downloadFile(url, to, file, options);
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
    const gone = error.kind === 'damaged' || error.kind === 'wrong_size' || error.kind === 'missing';
    throw gone
      ? new ProblemError('checkpoint-unusable', `${file.path}: ${error.message}; choose another checkpoint.`, {
          cause: error,
        })
      : new ProblemError('unavailable', `${file.path}: ${error.message}; try again later.`, { cause: error });
  }
}

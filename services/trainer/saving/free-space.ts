import { mkdir, readdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { storageFault } from '../../platform/storage-error.ts';
import type { CheckpointSnapshot } from '../checkpoint/snapshot.ts';
import { isCompanion } from '../checkpoint/write-checkpoint.ts';
import { TrainerError } from '../failure.ts';

const MIB = 2 ** 20;
/** Of the values: for headers, names and the small files. */
const MARGIN_SHARE = 0.02;
const MARGIN_BYTES = MIB;

/** Bytes that writing a snapshot takes at most, about. */
export async function spaceFor({ weights, optimizer, modelDirectory }: CheckpointSnapshot): Promise<number> {
  let bytes = 0;
  for (const { data } of weights.weights.values()) bytes += data.byteLength;
  for (const { expAvg, expAvgSq } of optimizer) bytes += expAvg.byteLength + expAvgSq.byteLength;
  const companions = (await readdir(modelDirectory)).filter(isCompanion);
  for (const name of companions) bytes += (await stat(path.join(modelDirectory, name))).size;
  return Math.ceil(bytes * (1 + MARGIN_SHARE)) + MARGIN_BYTES;
}

/** Free bytes of the file system of a directory, for programs without privileges. */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/**
 * Refuses a save that cannot fit before a byte of it is written.
 * @throws TrainerError `disk_full` with the figures.
 */
export async function requireSpace(
  directory: string,
  snapshot: CheckpointSnapshot,
  free: (directory: string) => Promise<number> = freeBytes,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const [needed, there] = [await spaceFor(snapshot), await free(directory)];
  if (there >= needed) return;
  throw new TrainerError(
    'disk_full',
    `The disk is full: the checkpoint needs about ${inMib(needed)}, ${directory} has ${inMib(there)} free`,
    `Free ${inMib(needed - there)} on the disk of ${directory}; the next checkpoint is saved when there is space.`,
  );
}

/** What writing a checkpoint met: a disk that filled meanwhile, because others write to it as well, is called by its name. */
export function nameFullDisk(directory: string, error: unknown): unknown {
  if (storageFault(error)?.kind !== 'full') return error;
  return new TrainerError(
    'disk_full',
    `The disk is full: ${directory} took only a part of the checkpoint`,
    `Free space on the disk of ${directory}; the next checkpoint is saved when there is space.`,
    { cause: error },
  );
}

function inMib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

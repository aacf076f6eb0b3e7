import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { storageFault } from '../../platform/storage-error.ts';
import type { CheckpointSnapshot } from '../checkpoint/snapshot.ts';
import { isCompanion } from '../checkpoint/write-checkpoint.ts';
import { TrainerError } from '../failure.ts';
import { type FreeBytes, freeBytes, MIB, requireFreeSpace } from '../free-space.ts';

/** Of the values: for headers, names and the small files. */
const MARGIN_SHARE = 0.02;
const MARGIN_BYTES = MIB;
const AFTERWARDS = 'the next checkpoint is saved when there is space';

/** Bytes that writing a snapshot takes at most, about. */
export async function spaceFor({ weights, optimizer, modelDirectory }: CheckpointSnapshot): Promise<number> {
  let bytes = 0;
  for (const { data } of weights.weights.values()) bytes += data.byteLength;
  for (const { expAvg, expAvgSq } of optimizer) bytes += expAvg.byteLength + expAvgSq.byteLength;
  const companions = (await readdir(modelDirectory)).filter(isCompanion);
  for (const name of companions) bytes += (await stat(path.join(modelDirectory, name))).size;
  return Math.ceil(bytes * (1 + MARGIN_SHARE)) + MARGIN_BYTES;
}

/**
 * Refuses a save that cannot fit before a byte of it is written.
 * @throws TrainerError `disk_full` with the figures.
 */
export async function requireSpace(
  directory: string,
  snapshot: CheckpointSnapshot,
  free: FreeBytes = freeBytes,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const needed = await spaceFor(snapshot);
  await requireFreeSpace({ directory, needed, what: 'the checkpoint', afterwards: AFTERWARDS }, free);
}

/** What writing a checkpoint met: a disk that filled meanwhile, because others write to it as well, is called by its name. */
export function nameFullDisk(directory: string, error: unknown): unknown {
  if (storageFault(error)?.kind !== 'full') return error;
  return new TrainerError(
    'disk_full',
    `The disk is full: ${directory} took only a part of the checkpoint`,
    `Free space on the disk of ${directory}; ${AFTERWARDS}.`,
    { cause: error },
  );
}

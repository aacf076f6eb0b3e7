import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { CheckpointSnapshot } from '../checkpoint/snapshot.ts';
import { isCompanion } from '../checkpoint/write-checkpoint.ts';
import { type FreeBytes, freeBytes, MIB, requireFreeSpace } from '../free-space.ts';

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
  const afterwards = 'the next checkpoint is saved when there is space';
  await requireFreeSpace({ directory, needed, what: 'the checkpoint', afterwards }, free);
}

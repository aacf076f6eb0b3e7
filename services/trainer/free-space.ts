import { statfs } from 'node:fs/promises';
import { TrainerError } from './failure.ts';

export const MIB = 2 ** 20;

/** Free bytes of the file system of a directory. */
export type FreeBytes = (directory: string) => Promise<number>;

/** As programs without privileges see it. */
export const freeBytes: FreeBytes = async (directory) => {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
};

/**
 * Refuses what cannot fit before a byte of it is written.
 *
 * @param request `needed` bytes in `directory`, which exists; `what` needs them ("the checkpoint", "fetching …"), `afterwards` ends the remedy
 * @throws TrainerError `disk_full` with the figures.
 */
export async function requireFreeSpace(
  request: { readonly directory: string; readonly needed: number; readonly what: string; readonly afterwards: string },
  free: FreeBytes,
): Promise<void> {
  const { directory, needed, what, afterwards } = request;
  const there = await free(directory);
  if (there >= needed) return;
  throw new TrainerError(
    'disk_full',
    `The disk is full: ${what} needs about ${inMib(needed)}, ${directory} has ${inMib(there)} free`,
    `Free ${inMib(needed - there)} on the disk of ${directory}; ${afterwards}.`,
  );
}

function inMib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

import { constants } from 'node:fs';
import { copyFile, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory, temporaryName, writeDurable } from '../../platform/atomic-file.ts';

/** A file that is replaced as a whole again and again, and whose beginning only ever grows. */
export interface GrowingFile {
  /** Starts a new beginning; what was appended before is forgotten. The directory must exist. */
  begin(head: string): Promise<void>;
  append(text: string): Promise<void>;
  /** Replaces the file by the beginning and this ending. Returns its bytes. */
  publish(ending: string): Promise<number>;
  /** Removes the beginning; the file stays. */
  discard(): Promise<void>;
}

/**
 * The beginning is kept in a hidden file beside `path`, so an update writes what is new there and has the kernel copy the rest (a file system that
 * can share blocks copies nothing). Readers, and a machine that loses power, see the old file or the new one. A rejection leaves the beginning
 * unknown: `begin` again. The hidden file has the name of a temporary one: what a kill leaves of it goes with those.
 */
export function createGrowingFile(path: string): GrowingFile {
  const body = temporaryName(path);
  let size = 0;

  return {
    async begin(head) {
      await rm(body, { force: true });
      await writeDurable(body, head);
      size = Buffer.byteLength(head);
    },

    async append(text) {
      size += await writeAt(body, size, text);
    },

    async publish(ending) {
      const next = temporaryName(path);
      try {
        await copyFile(body, next, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
        const added = await writeAt(next, size, ending, { sync: true });
        await rename(next, path);
        await syncDirectory(dirname(path));
        return size + added;
      } catch (error) {
        await rm(next, { force: true });
        throw error;
      }
    },

    discard: () => rm(body, { force: true }),
  };
}

/**
 * Writes at the end of a file.
 * @returns bytes written
 * @throws when the file does not have the size that it was left with
 */
async function writeAt(path: string, size: number, text: string, { sync = false } = {}): Promise<number> {
  const file = await open(path, 'r+');
  try {
    const found = (await file.stat()).size;
    if (found !== size) throw new Error(`${path} has ${found} bytes, not ${size}: somebody else wrote to it`);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; )
      at += (await file.write(bytes, at, bytes.length - at, size + at)).bytesWritten;
    if (sync) await file.sync();
    return bytes.length;
  } finally {
    await file.close();
  }
}

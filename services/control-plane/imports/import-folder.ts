import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { JsonRefusedError, type NotNumbers, readBoundedJsonFrom } from '../../platform/bounded-json.ts';
import { ProblemError } from '../api/problem-error.ts';

/** Something of a folder that is not taken over; `path` is relative to it. */
export interface LeftOut {
  readonly path: string;
  readonly why: string;
}

/** A folder of someone else's, read so that nothing in it leads anywhere else. Paths are relative to it, with `/`. */
export interface ImportFolder {
  /** Absolute, as the user named it. */
  readonly root: string;
  /** Plain files with their size in bytes and time of change in milliseconds. */
  readonly files: ReadonlyMap<string, { readonly size: number; readonly changed: number }>;
  /** Links, pipes, sockets and devices; none of them is ever opened. */
  readonly refused: readonly LeftOut[];
  /** Opens a file that is still what it was. The caller closes it. @throws LeftOutError */
  open(path: string): Promise<FileHandle>;
  /** @throws LeftOutError when it is too large, nested too deep or damaged. */
  readJson(path: string, notNumbers?: NotNumbers): Promise<unknown>;
}

/** A file cannot be taken over; the message says which and why. */
export class LeftOutError extends Error {
  override readonly name = 'LeftOutError';
}

const MAX_ENTRIES = 200_000;
const MAX_DEPTH = 8;

/** Lists a folder. @throws ProblemError checkpoint-unusable when there is more in it than any output folder holds. */
export async function openImportFolder(root: string): Promise<ImportFolder> {
  const real = await realpath(root);
  const files = new Map<string, { size: number; changed: number }>();
  const refused: LeftOut[] = [];
  let entries = 0;

  const walk = async (directory: string, depth: number): Promise<void> => {
    for (const entry of await readdir(join(real, directory), { withFileTypes: true })) {
      if (++entries > MAX_ENTRIES) {
        throw new ProblemError(
          'checkpoint-unusable',
          `${root} holds more than ${MAX_ENTRIES} files; name a folder that holds one run or one checkpoint.`,
        );
      }
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      // Hidden folders hold caches and version control, never a part of a run.
      if (entry.name.startsWith('.')) continue;
      if (entry.isSymbolicLink()) {
        refused.push({ path, why: 'is a symbolic link, which an import does not follow; copy what it leads to' });
      } else if (entry.isDirectory()) {
        if (depth < MAX_DEPTH) await walk(path, depth + 1);
        else refused.push({ path, why: `lies more than ${MAX_DEPTH} folders deep` });
      } else if (entry.isFile()) {
        const { size, mtimeMs } = await lstat(join(real, path));
        files.set(path, { size, changed: mtimeMs });
      } else {
        refused.push({ path, why: 'is a pipe, a socket or a device, not a file' });
      }
    }
  };
  await walk('', 1);

  const openFile = (path: string) => openPlain(real, path, files.get(path)?.size);
  return {
    root,
    files,
    refused,
    open: openFile,
    readJson: async (path, notNumbers) => {
      const handle = await openFile(path);
      try {
        return await readBoundedJsonFrom(handle, undefined, notNumbers);
      } catch (error) {
        if (error instanceof JsonRefusedError) throw new LeftOutError(`${path} ${error.message}`);
        throw error;
      } finally {
        await handle.close();
      }
    },
  };
}

/** What was a plain file when the folder was listed may be a link or a pipe by now: nothing of the way may be one. */
async function openPlain(root: string, path: string, size: number | undefined): Promise<FileHandle> {
  // Without O_NONBLOCK opening a pipe waits for its writer for ever.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(join(root, path), flags).catch((error: NodeJS.ErrnoException) => {
    throw new LeftOutError(`${path} cannot be read (${error.code}); change its permissions, or leave it out`);
  });
  const found = await handle.stat();
  const real = await realpath(`/proc/self/fd/${handle.fd}`).catch(() => null);
  if (found.isFile() && found.size === size && real !== null && relative(root, real) === path.split('/').join(sep)) {
    return handle;
  }
  await handle.close();
  throw new LeftOutError(`${path} has changed while it was imported; import the folder when nothing writes to it`);
}

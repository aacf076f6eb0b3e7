import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const TEMPORARY_PREFIX = '.tmp-';

/**
 * Replaces a file so that a reader, and a machine that loses power, sees either the old content or the new one: written under a temporary
 * name in the same directory, fsynced, renamed, and the directory fsynced. The directory must exist.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await writeDurable(temporary, data);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** A name beside `path` that starts with `.tmp-`; nothing that lists files by their real names sees it. */
export function temporaryName(path: string): string {
  return join(dirname(path), `${TEMPORARY_PREFIX}${basename(path).slice(0, 100)}-${randomBytes(6).toString('hex')}`);
}

/** Removes what a kill left of writes in a directory. To be called while nobody else writes there; a missing directory is an empty one. */
export async function removeTemporaries(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  for (const name of names.filter((each) => each.startsWith(TEMPORARY_PREFIX))) {
    await rm(join(directory, name), { force: true });
  }
}

/** Creates a file that must not exist yet, writes it and fsyncs it. The name itself is durable after `syncDirectory`. */
export async function writeDurable(path: string, data: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o644);
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes names that were created, renamed or removed in a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Creates a directory and its missing parents, each name made durable. Not by `recursive` of Node, which tries for ever where a parent is there and takes
 * no directory for a reason that reads as if it were missing (`/proc`).
 */
export async function makeDirectory(path: string): Promise<void> {
  if ((await tryMake(path)) !== 'no parent') return;
  await makeDirectory(dirname(path));
  if ((await tryMake(path)) === 'no parent')
    throw new Error(`${path} cannot be created: ${dirname(path)} takes no directories`);
}

async function tryMake(path: string): Promise<'made' | 'there' | 'no parent'> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return 'no parent';
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return 'there';
    throw error;
  }
  await syncDirectory(dirname(path));
  return 'made';
}

import { constants } from 'node:fs';
import { link, lstat, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { makeDirectory, syncDirectory, temporaryName, writeDurable } from './atomic-file.ts';
import {
  type ByteRange,
  checkObjectKey,
  checkObjectPrefix,
  InvalidObjectKeyError,
  ObjectNotFoundError,
  type ObjectStore,
} from './object-store.ts';

/**
 * An object store in a directory: key `a/b` is the file `<root>/a/b`. Writes are durable when they return. A symbolic link anywhere
 * below the root is refused rather than followed.
 */
export function openFileStore(root: string): ObjectStore {
  const base = resolve(root);
  const pathOf = async (key: string): Promise<string> => {
    checkObjectKey(key);
    await refuseLinks(base, key);
    return join(base, key);
  };

  return {
    async put(key, body) {
      const path = await pathOf(key);
      await withDirectory(path, async () => {
        const temporary = temporaryName(path);
        try {
          if (body instanceof Uint8Array) await writeDurable(temporary, body);
          else await writeStream(temporary, body.stream, body.size);
          await rename(temporary, path);
        } finally {
          await rm(temporary, { force: true });
        }
      });
    },

    async putIfAbsent(key, body) {
      const path = await pathOf(key);
      let outcome: 'created' | 'exists' = 'created';
      await withDirectory(path, async () => {
        const temporary = temporaryName(path);
        try {
          await writeDurable(temporary, body);
          // link() fails where the name is taken, and the name appears with all its bytes: O_EXCL alone would show a half-written file.
          await link(temporary, path);
        } catch (error) {
          if (codeOf(error) !== 'EEXIST') throw error;
          outcome = 'exists';
        } finally {
          await rm(temporary, { force: true });
        }
      });
      return outcome;
    },

    async get(key) {
      const path = await pathOf(key);
      return readFile(path).catch((error: unknown) => {
        throw asNotFound(error, key);
      });
    },

    read(key, range) {
      checkObjectKey(key);
      return Readable.from(readChunks(base, key, range), { objectMode: false });
    },

    async head(key) {
      const path = await pathOf(key);
      const found = await stat(path).catch((error: unknown) => {
        if (isAbsent(error)) return null;
        throw error;
      });
      return found?.isFile() ? { size: found.size } : null;
    },

    async *list(prefix) {
      checkObjectPrefix(prefix);
      const directory = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      if (directory !== '') await refuseLinks(base, directory.slice(0, -1));
      yield* walk(base, directory, prefix);
    },

    async delete(key) {
      const path = await pathOf(key);
      try {
        await rm(path);
      } catch (error) {
        if (isAbsent(error)) return;
        throw error;
      }
      await syncDirectory(dirname(path)).catch(ignoreAbsent);
      await removeEmptyParents(base, dirname(path));
    },

    localDirectory(prefix) {
      checkObjectPrefix(prefix);
      return resolve(base, prefix);
    },

    transfers: null,
  };
}

/** Runs a write in the directory of `path`; once more when a concurrent delete has just removed that directory as empty. */
async function withDirectory(path: string, write: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await makeDirectory(dirname(path));
    try {
      await write();
      await syncDirectory(dirname(path));
      return;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || attempt === 5) throw error;
    }
  }
}

async function writeStream(path: string, stream: Readable, size: number): Promise<void> {
  const file = await open(path, 'wx', 0o644);
  try {
    for await (const chunk of stream) await file.appendFile(chunk as Buffer);
    await file.sync();
    const written = (await file.stat()).size;
    if (written !== size)
      throw new Error(`The stream held ${written} bytes where ${size} were announced; send it again.`);
  } finally {
    await file.close();
  }
}

async function* readChunks(base: string, key: string, range: ByteRange | undefined): AsyncGenerator<Buffer> {
  await refuseLinks(base, key);
  try {
    const file = await open(join(base, key), constants.O_RDONLY | constants.O_NOFOLLOW);
    for await (const chunk of file.createReadStream(range)) yield chunk as Buffer;
  } catch (error) {
    throw asNotFound(error, key);
  }
}

/** Keys below `directory` in byte order; a directory sorts as its name with a slash, since that is how its keys continue. */
async function* walk(base: string, directory: string, prefix: string): AsyncGenerator<{ key: string; size: number }> {
  const entries = await readdir(join(base, directory), { withFileTypes: true }).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw error;
  });
  const names = entries
    .filter((entry) => (entry.isFile() || entry.isDirectory()) && !entry.name.startsWith('.tmp-'))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) {
    const key = directory + name;
    if (name.endsWith('/')) {
      if (key.startsWith(prefix) || prefix.startsWith(key)) yield* walk(base, key, prefix);
    } else if (key.startsWith(prefix)) {
      const found = await stat(join(base, key)).catch(() => null);
      if (found !== null) yield { key, size: found.size };
    }
  }
}

async function refuseLinks(base: string, key: string): Promise<void> {
  let at = base;
  for (const segment of key.split('/')) {
    at = join(at, segment);
    const found = await lstat(at).catch(() => null);
    if (found === null) return;
    if (found.isSymbolicLink()) {
      throw new InvalidObjectKeyError(
        key,
        `${at} is a symbolic link; the store holds plain files and directories only`,
      );
    }
  }
}

async function removeEmptyParents(base: string, from: string): Promise<void> {
  for (let at = from; at !== base && !relative(base, at).startsWith(`..${sep}`); at = dirname(at)) {
    try {
      await rmdir(at);
    } catch {
      return;
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function ignoreAbsent(error: unknown): void {
  if (!isAbsent(error)) throw error;
}

function asNotFound(error: unknown, key: string): unknown {
  return isAbsent(error) || codeOf(error) === 'EISDIR' ? new ObjectNotFoundError(key) : error;
}

import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

/** A path that a run may not use; the message says why and what to do, without the name of the key it came from. */
export class PathRefusedError extends Error {
  override readonly name = 'PathRefusedError';
}

const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 3500;

export type PathKind = 'file' | 'directory' | 'file or directory';

export interface PathPolicy {
  /** The absolute path that a user means; whether it is there and may be used is not checked. Throws PathRefusedError for one that cannot be. */
  absolute(written: string): string;
  /** The absolute path of an existing, readable file or directory that a user named. Throws PathRefusedError. */
  existing(written: string, kind: PathKind): Promise<string>;
  /** The absolute path of a tree to write to, which may not exist yet. Throws PathRefusedError. */
  writable(written: string): Promise<string>;
  /** As people know it: relative to the working directory where it lies below it. */
  shown(path: string): string;
}

/**
 * Which paths of this machine users may name: those below `roots` (`TANDEM_DATA_ROOTS`), where symbolic links lead too. Relative paths are taken from
 * `cwd`, except that `outputs/…` means `TANDEM_OUTPUTS`. What Tandem keeps for itself in `home` is never written to.
 */
export function createPathPolicy(options: {
  cwd: string;
  roots: readonly string[];
  outputs: string;
  home: string;
}): PathPolicy {
  const { cwd, roots, outputs, home } = options;

  const insideRoots = async (path: string): Promise<void> => {
    const real = await realPath(path);
    for (const root of roots) if (isBelow(real, await realPath(root))) return;
    throw new PathRefusedError(
      `${path}${real === path ? '' : ` leads to ${real}, which`} is outside the directories this control plane may use (${roots.join(', ')}); ` +
        'move it there, or start the control plane with its directory in TANDEM_DATA_ROOTS',
    );
  };

  const absolute = (written: string): string => {
    refuseImpossible(written);
    const [first, ...rest] = written.split('/');
    return !isAbsolute(written) && first === 'outputs' ? join(outputs, ...rest) : resolve(cwd, written);
  };

  return {
    absolute,
    existing: async (written, kind) => {
      const path = absolute(written);
      await insideRoots(path).catch(refuseUnreachable(path));
      await requireKind(path, kind);
      return path;
    },
    writable: async (written) => {
      const path = absolute(written);
      if (path === outputs || path === cwd || roots.some((root) => isBelow(root, path))) {
        throw new PathRefusedError(
          `${written} holds more than one run; name a directory of its own, such as outputs/my-run`,
        );
      }
      const real = await realPath(path).catch(refuseUnreachable(path));
      if (isBelow(real, await realPath(home))) {
        throw new PathRefusedError(
          `${written} lies in TANDEM_HOME, which Tandem keeps for itself; choose another directory`,
        );
      }
      await insideRoots(path);
      await requireWritable(path);
      return path;
    },
    shown: (path) => {
      const short = relative(cwd, path);
      return short.startsWith('..') || short === '' ? path : short;
    },
  };
}

/** What no file system of Linux can hold. */
function refuseImpossible(written: string): void {
  const long = written.split('/').some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES);
  if (long || Buffer.byteLength(written) > MAX_PATH_BYTES) {
    throw new PathRefusedError(
      `is too long for a path: at most ${MAX_NAME_BYTES} bytes between slashes, ${MAX_PATH_BYTES} in all; shorten it`,
    );
  }
  if (written.includes('\0')) throw new PathRefusedError('holds a NUL character, which no path can; leave it out');
}

/** Symbolic links in a circle, and directories that may not be entered. */
function refuseUnreachable(path: string): (error: unknown) => never {
  return (error) => {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof PathRefusedError || (code !== 'ELOOP' && code !== 'EACCES' && code !== 'ENAMETOOLONG'))
      throw error;
    const why =
      code === 'EACCES' ? 'lies in a directory that the user that runs Tandem may not enter' : 'leads nowhere';
    throw new PathRefusedError(`${path} ${why} (${code}); give another path`, { cause: error });
  };
}

async function requireKind(path: string, kind: PathKind): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new PathRefusedError(`${path} does not exist on this machine; give the path of a ${kind}`);
  if (!(kind.includes('file') && found.isFile()) && !(kind.includes('directory') && found.isDirectory())) {
    throw new PathRefusedError(`${path} is not a ${kind}; give the path of a ${kind}`);
  }
  await access(path, constants.R_OK).catch(() => {
    throw new PathRefusedError(`${path} cannot be read by the user that runs Tandem; change its permissions`);
  });
}

/** Checks the nearest directory there is; what is missing below it is made when the run is submitted. */
async function requireWritable(path: string): Promise<void> {
  try {
    await access(path, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && dirname(path) !== path) return await requireWritable(dirname(path));
    // What lies there instead of a directory is told by who wants to make it one.
    if (code === 'ENOTDIR') return;
    const remedy = 'choose another directory, or make this one writable';
    const why =
      code === 'EROFS' ? 'lies on a read-only file system' : 'cannot be written to by the user that runs Tandem';
    throw new PathRefusedError(`${path} ${why}; ${remedy}`, { cause: error });
  }
}

/** Where a path really leads; of one that does not exist yet, where it will. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || dirname(path) === path) throw error;
    return join(await realPath(dirname(path)), basename(path));
  }
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

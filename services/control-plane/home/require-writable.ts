import { constants } from 'node:fs';
import { access, mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { temporaryName, writeDurable } from '../../platform/atomic-file.ts';
import { storageFault } from '../../platform/storage-error.ts';
import { StartError } from '../start-error.ts';

/** What the first start writes fits into it, so that a disk that is too full for that is found before anything is half-written. */
const PROBE_BYTES = 256 * 1024;

/**
 * Makes a directory of an environment variable and writes to it once.
 * @throws StartError with the variable, the place that is at fault and the remedy
 */
export async function requireWritable(variable: string, directory: string): Promise<void> {
  await requireCreatable(variable, directory);
  const probe = temporaryName(join(directory, 'probe'));
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeDurable(probe, Buffer.alloc(PROBE_BYTES, 1));
  } catch (error) {
    throw explain(variable, directory, error);
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

/** Checks the nearest directory there is: what is missing below it can be made later. Throws StartError. */
export async function requireCreatable(variable: string, directory: string): Promise<void> {
  for (let at = directory; ; at = dirname(at)) {
    const found = await stat(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
      throw explain(variable, at, error);
    });
    if (found === null) continue;
    if (!found.isDirectory()) {
      throw new StartError(`${variable}: ${at} is a file, not a directory; move it away or choose another directory`);
    }
    await access(at, constants.W_OK | constants.X_OK).catch((error: unknown) => {
      throw explain(variable, at, error);
    });
    return;
  }
}

function explain(variable: string, place: string, error: unknown): StartError {
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  const denied = code === 'EACCES' || code === 'EPERM';
  const why = denied
    ? 'the user that runs Tandem may not write there; change its permissions or choose another directory'
    : (storageFault(error)?.message ?? `it cannot be used (${code}); choose another directory`);
  return new StartError(`${variable}: ${place}: ${why}`, { cause: error });
}

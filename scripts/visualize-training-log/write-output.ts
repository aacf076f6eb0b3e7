import { join } from 'node:path';
import { makeDirectory, writeFileAtomic } from '../../services/platform/atomic-file.ts';
import { storageFault } from '../../services/platform/storage-error.ts';
import { EXIT, ReportError } from './exit-codes.ts';

/** Writes a file into a directory that is made when it is missing; nobody sees half of it. Returns its path. @throws ReportError */
export async function writeOutput(directory: string, name: string, data: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  try {
    await makeDirectory(directory);
    await writeFileAtomic(path, data);
  } catch (error) {
    throw new ReportError(`${path} cannot be written: ${why(error as NodeJS.ErrnoException)}`, EXIT.cannotCreate, {
      cause: error,
    });
  }
  return path;
}

function why(error: NodeJS.ErrnoException): string {
  const fault = storageFault(error);
  if (fault !== null) return fault.message;
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
      return 'you may not write there; name another directory with --output';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'a file is in the way of the directory; name another one with --output';
    case 'EISDIR':
      return 'a directory has that name; name another output with --output';
    default:
      return error.message;
  }
}

import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../platform/atomic-file.ts';

/** Makes files that another program wrote below `directory` survive a power cut: their bytes, then their names. */
export async function syncFiles(directory: string, paths: readonly string[]): Promise<void> {
  const directories = new Set<string>([directory]);
  for (const path of paths) {
    const file = await open(join(directory, path), 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    for (let at = dirname(path); at !== '.'; at = dirname(at)) directories.add(join(directory, at));
  }
  for (const each of [...directories, dirname(directory)]) await syncDirectory(each);
}

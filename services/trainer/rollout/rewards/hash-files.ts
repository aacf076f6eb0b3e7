import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { followImports, ImportRefusedError } from '../../../platform/local-imports/follow-imports.ts';
import { TrainerError } from '../../failure.ts';

/**
 * sha256 over the files of rewards, in their order, each with what it imports of its directory; null where there are none.
 * @throws TrainerError `reward_error`
 */
export async function hashRewardFiles(files: readonly string[]): Promise<string | null> {
  if (files.length === 0) return null;
  const hash = createHash('sha256');
  for (const file of files) {
    const bytes = await read(file);
    hash.update(`${bytes.length}\0`).update(bytes);
    for (const name of await followImports(file).catch(refused)) {
      const imported = await read(join(dirname(file), name));
      hash.update(`${name}\0${imported.length}\0`).update(imported);
    }
  }
  return hash.digest('hex');
}

function read(file: string): Promise<Buffer> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new TrainerError(
      'reward_error',
      `${file} cannot be read (${error.code})`,
      'Put the file of the reward back.',
    );
  });
}

function refused(error: unknown): never {
  if (!(error instanceof ImportRefusedError)) throw error;
  throw new TrainerError('reward_error', error.message, 'Change the imports of the reward, then resume.');
}

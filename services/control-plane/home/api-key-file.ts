import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StartError } from '../start-error.ts';

/**
 * Makes the file that `TANDEM_API_KEY_FILE` names, with a fresh key, where there is none. Only its owner can read it.
 * @throws StartError when it cannot be written
 */
export async function ensureApiKeyFile(path: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(draft, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flush: true });
    // Whole or not at all, and never over a key that is there.
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await rm(draft);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartError(
      `TANDEM_API_KEY_FILE: ${path} cannot be made (${code}); name a file in a directory that can be written, or set TANDEM_API_KEY`,
      { cause: error },
    );
  }
}

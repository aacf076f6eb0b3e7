import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Removes a directory that programs which are just ending may still write into. `rm` reads each directory once: what appears in it afterwards
 * makes all of its own retries fail.
 */
export async function removeTree(directory: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await rm(directory, { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY' || tries === 100) throw error;
      await sleep(20);
    }
  }
}

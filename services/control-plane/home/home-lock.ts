import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { StartError } from '../start-error.ts';

/** Another control plane uses the same TANDEM_HOME. */
export class HomeLockedError extends Error {
  override readonly name = 'HomeLockedError';
}

/**
 * Takes `<home>/lock` for this process. The lock is the kernel's (through SQLite's write lock, which Node itself has no call for), so it ends with
 * the process however that ends, and there are no stale ones to take over. `<home>/control-plane.pid` says for people who holds it.
 * @throws HomeLockedError when another process holds it; StartError when the file is something else.
 */
export function lockHome(home: string): { release: () => void } {
  const connection = new DatabaseSync(join(home, 'lock'));
  const pidFile = join(home, 'control-plane.pid');
  try {
    connection.exec('PRAGMA busy_timeout = 0; BEGIN IMMEDIATE');
  } catch (error) {
    connection.close();
    if (!/locked|busy/i.test((error as Error).message)) {
      throw new StartError(
        `${join(home, 'lock')} cannot be taken (${(error as Error).message}): it is an empty file that only control planes use; when none is running, remove it`,
        { cause: error },
      );
    }
    throw new HomeLockedError(
      `another control plane${describeHolder(pidFile)} uses ${home}: stop it, or give this one another TANDEM_HOME`,
      { cause: error },
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return { release: () => connection.close() };
}

function describeHolder(pidFile: string): string {
  try {
    return ` (pid ${readFileSync(pidFile, 'utf8').trim()})`;
  } catch {
    return '';
  }
}

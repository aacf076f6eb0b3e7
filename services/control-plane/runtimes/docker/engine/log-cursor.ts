import { readFile, rename, writeFile } from 'node:fs/promises';

/**
 * Up to where a file holds a container's log for good: `bytes` of it were printed before `since`, and all that was printed then or later comes after them.
 * Without `since` the log has to be read from its beginning.
 */
export interface LogCursor {
  since: string | null;
  bytes: number;
}

export const BEGINNING: LogCursor = { since: null, bytes: 0 };
const FINISHED = 'finished';

/** `finished` once everything that was printed is in the file; the beginning when nothing is known. */
export async function readCursor(path: string): Promise<LogCursor | typeof FINISHED> {
  const text = await readFile(cursorPath(path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '';
  });
  try {
    const { since, bytes, finished } = JSON.parse(text) as { since?: unknown; bytes?: unknown; finished?: unknown };
    if (finished === true) return FINISHED;
    return typeof since === 'string' && typeof bytes === 'number' ? { since, bytes } : BEGINNING;
  } catch {
    return BEGINNING;
  }
}

/** Not synced: a machine that loses power loses its containers too, and a file shorter than its cursor is read anew. */
export async function writeCursor(path: string, cursor: LogCursor | typeof FINISHED): Promise<void> {
  const temporary = `${cursorPath(path)}.tmp`;
  await writeFile(temporary, JSON.stringify(cursor === FINISHED ? { finished: true } : cursor));
  await rename(temporary, cursorPath(path));
}

/** The file beside a file of output that holds its cursor. */
export function cursorPath(path: string): string {
  return `${path}.cursor`;
}

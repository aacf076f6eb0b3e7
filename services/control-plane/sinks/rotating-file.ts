import { link, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory, temporaryName } from '../../platform/atomic-file.ts';
import { type LinePosition, positionOfLine } from './log-line.ts';
import { endLastLine, lastPositionIn, lastPositionInRotated } from './log-tail.ts';
import {
  type Compress,
  compressRotated,
  gzipFile,
  type LogLimits,
  nextRotatedName,
  pruneRotated,
  rotatedFiles,
  statOrNull,
} from './rotated-files.ts';

export interface RotatingFile {
  /** Position of the last line that is held, in the current file or a rotated one; null when there is none. */
  last: LinePosition | null;
  /** Appends lines in order; resolves when they are handed to the operating system. After an error: open again. */
  append(lines: readonly string[]): Promise<void>;
}

/**
 * A log file whose current part always has exactly the name `path`. Before a line of a later day, or one that would make it larger than a file may be,
 * the file becomes `<name>-<day>.<number><extension>`, a new one takes its name in one rename, and the rotated one is compressed. When to rotate
 * follows from the lines alone, so an interrupted writer that goes on leaves the same bytes as one that was never interrupted.
 *
 * Opening it repairs what a kill left: half a line at the end is cut off, half a rotation is finished.
 *
 * @param logs all log files of the run, this one too, which share the limits
 */
export async function openRotatingFile({
  path,
  logs = [path],
  limits,
  compress = gzipFile,
}: {
  path: string;
  logs?: readonly string[] | undefined;
  limits: LogLimits;
  compress?: Compress;
}): Promise<RotatingFile> {
  await makeDirectory(dirname(path));
  await finishRotation(path);
  await tidy();
  await endLastLine(path);
  // There is something to follow before the first line comes.
  await appendText(path, '');
  const current = await lastPositionIn(path);
  let day = current?.day ?? null;
  let last = current ?? (await lastRotatedPosition(path));

  async function tidy(): Promise<void> {
    await compressRotated(path, compress);
    await pruneRotated(logs, limits);
  }

  return {
    get last() {
      return last;
    },
    async append(lines) {
      let size = (await statOrNull(path))?.size ?? 0;
      let pending: string[] = [];
      const flush = async () => {
        if (pending.length > 0) await appendText(path, pending.join(''));
        pending = [];
      };
      for (const line of lines) {
        const position = positionOfLine(line);
        const text = `${line}\n`;
        const bytes = Buffer.byteLength(text);
        const isLater = day !== null && position !== null && position.day > day;
        if (size > 0 && (isLater || size + bytes > limits.fileBytes)) {
          await flush();
          await rotate(path, day ?? 'undated');
          await tidy();
          size = 0;
        }
        pending.push(text);
        size += bytes;
        day = position?.day ?? day;
        last = position ?? last;
      }
      await flush();
    },
  };
}

/** Gives the file a second name, then puts an empty one in its place: there is no moment without a file of the name `path`. */
async function rotate(path: string, day: string): Promise<void> {
  const rotated = await nextRotatedName(path, day);
  try {
    await link(path, rotated);
    await replaceByEmpty(path);
  } catch (error) {
    // Some file systems have no hard links; there the name is missing until the next line.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error;
    await rename(path, rotated);
  }
}

async function replaceByEmpty(path: string): Promise<void> {
  const empty = temporaryName(path);
  await (await open(empty, 'wx', 0o644)).close();
  await rename(empty, path);
}

/** After a kill between the two halves of a rotation the newest rotated file and the current one are the same file. */
async function finishRotation(path: string): Promise<void> {
  const current = await statOrNull(path);
  const newest = (await rotatedFiles(path))[0];
  if (current === null || newest === undefined) return;
  const rotated = await statOrNull(newest.path);
  if (rotated !== null && rotated.ino === current.ino && rotated.dev === current.dev) await replaceByEmpty(path);
}

async function lastRotatedPosition(path: string): Promise<LinePosition | null> {
  for (const file of await rotatedFiles(path)) {
    const position = await lastPositionInRotated(file);
    if (position !== null) return position;
  }
  return null;
}

async function appendText(path: string, text: string): Promise<void> {
  const file = await open(path, 'a', 0o644);
  try {
    await file.appendFile(text);
  } finally {
    await file.close();
  }
}

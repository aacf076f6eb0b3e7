import { link, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { makeDirectory, temporaryName } from '../../platform/atomic-file.ts';
import { type LinePosition, positionOfLine } from './log-line.ts';

export interface RotatingFile {
  /** Position of the last line that is held, in the current file or a rotated one; null when there is none. */
  last: LinePosition | null;
  /** Appends lines in order; resolves when they are handed to the operating system. After an error: open again. */
  append(lines: readonly string[]): Promise<void>;
}

const FIRST_WINDOW = 1 << 18;

/**
 * A log file whose current part always has exactly the name `path`. Before a line of another day, or one that would make it larger than `maxBytes`,
 * the file becomes `<name>-<day>.<number><extension>` and a new one takes its name in one rename. When to rotate follows from the lines alone, so an
 * interrupted writer that goes on leaves the same bytes as one that was never interrupted. `maxFiles` rotated files are kept.
 *
 * Opening it repairs what a kill left: half a line at the end is cut off, half a rotation is finished.
 */
export async function openRotatingFile({
  path,
  maxBytes,
  maxFiles,
}: {
  path: string;
  maxBytes: number;
  maxFiles: number;
}): Promise<RotatingFile> {
  await makeDirectory(dirname(path));
  await finishRotation(path);
  await cutHalfLine(path);
  let last = await lastPosition(path);
  let day = (await lastPositionIn(path))?.day ?? null;

  return {
    get last() {
      return last;
    },
    async append(lines) {
      let size = await sizeOf(path);
      let pending: string[] = [];
      const flush = async () => {
        if (pending.length > 0) await appendText(path, pending.join(''));
        pending = [];
      };
      for (const line of lines) {
        const position = positionOfLine(line);
        const text = `${line}\n`;
        const bytes = Buffer.byteLength(text);
        if (size > 0 && ((day !== null && position?.day !== day) || size + bytes > maxBytes)) {
          await flush();
          await rotate(path, day ?? position?.day ?? 'undated', maxFiles);
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
async function rotate(path: string, day: string, maxFiles: number): Promise<void> {
  const siblings = await rotatedFiles(path);
  const numbers = siblings.filter((each) => each.day === day).map(({ number }) => number);
  const { stem, extension } = partsOf(path);
  const rotated = join(dirname(path), `${stem}-${day}.${Math.max(0, ...numbers) + 1}${extension}`);
  try {
    await link(path, rotated);
    await replaceByEmpty(path);
  } catch (error) {
    // Some file systems have no hard links; there the name is missing until the next line.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error;
    await rename(path, rotated);
  }
  for (const { name } of siblings.slice(Math.max(0, maxFiles - 1)))
    await rm(join(dirname(path), name), { force: true });
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
  const rotated = await statOrNull(join(dirname(path), newest.name));
  if (rotated !== null && rotated.ino === current.ino && rotated.dev === current.dev) await replaceByEmpty(path);
}

async function cutHalfLine(path: string): Promise<void> {
  const size = await sizeOf(path);
  if (size === 0) return;
  const end = await endOfLastLine(path, size);
  if (end === size) return;
  const file = await open(path, 'r+');
  try {
    await file.truncate(end);
  } finally {
    await file.close();
  }
}

async function lastPosition(path: string): Promise<LinePosition | null> {
  const names = [basename(path), ...(await rotatedFiles(path)).map(({ name }) => name)];
  for (const name of names) {
    const position = await lastPositionIn(join(dirname(path), name));
    if (position !== null) return position;
  }
  return null;
}

async function lastPositionIn(path: string): Promise<LinePosition | null> {
  const size = await sizeOf(path);
  for (let window = FIRST_WINDOW; size > 0; window *= 4) {
    const start = Math.max(0, size - window);
    const lines = (await readText(path, start, size)).split('\n');
    if (start > 0) lines.shift();
    const position = lines.map(positionOfLine).findLast((each) => each !== null);
    if (position !== undefined && position !== null) return position;
    if (start === 0) return null;
  }
  return null;
}

/** Offset after the last newline; 0 when there is none. */
async function endOfLastLine(path: string, size: number): Promise<number> {
  for (let window = FIRST_WINDOW; ; window *= 4) {
    const start = Math.max(0, size - window);
    const newline = (await readBytes(path, start, size)).lastIndexOf(0x0a);
    if (newline !== -1) return start + newline + 1;
    if (start === 0) return 0;
  }
}

interface RotatedName {
  name: string;
  day: string;
  number: number;
}

/** Newest first. */
async function rotatedFiles(path: string): Promise<RotatedName[]> {
  const { stem, extension } = partsOf(path);
  const names = await readdir(dirname(path));
  return names
    .flatMap((name): RotatedName[] => {
      if (!name.startsWith(`${stem}-`) || !name.endsWith(extension)) return [];
      const match = /^(\d{4}-\d{2}-\d{2}|undated)\.(\d+)$/.exec(
        name.slice(stem.length + 1, name.length - extension.length),
      );
      return match === null ? [] : [{ name, day: match[1] as string, number: Number(match[2]) }];
    })
    .sort((a, b) => b.day.localeCompare(a.day) || b.number - a.number);
}

function partsOf(path: string): { stem: string; extension: string } {
  const extension = extname(path);
  return { stem: basename(path, extension), extension };
}

async function appendText(path: string, text: string): Promise<void> {
  const file = await open(path, 'a', 0o644);
  try {
    await file.appendFile(text);
  } finally {
    await file.close();
  }
}

async function readText(path: string, start: number, end: number): Promise<string> {
  return (await readBytes(path, start, end)).toString('utf8');
}

async function readBytes(path: string, start: number, end: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(end - start);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await statOrNull(path))?.size ?? 0;
}

async function statOrNull(path: string) {
  return stat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
}

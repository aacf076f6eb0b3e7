import { type FileHandle, open, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, gunzip } from 'node:zlib';
import { type LinePosition, positionOfLine } from './log-line.ts';
import { type RotatedFile, statOrNull } from './rotated-files.ts';

const FIRST_WINDOW = 1 << 18;
const unzip = promisify(gunzip);
/** What a line of ours begins with; half a line that does not is somebody else's. */
const OWN = '{"timestamp":';

/** Where the last line of ours in a file stands; null for none, and for a file that is not there. */
export async function lastPositionIn(path: string): Promise<LinePosition | null> {
  return await withFile(path, async (file, size) => {
    for (let window = FIRST_WINDOW; ; window *= 4) {
      const start = Math.max(0, size - window);
      const lines = (await readBytes(file, start, size)).toString('utf8').split('\n');
      if (start > 0) lines.shift();
      const position = lines.map(positionOfLine).findLast((each) => each !== null);
      if (position !== undefined && position !== null) return position;
      if (start === 0) return null;
    }
  });
}

/** The same of a rotated file. Of one that is damaged, what can be read counts. */
export async function lastPositionInRotated(file: RotatedFile): Promise<LinePosition | null> {
  if (!file.compressed) return await lastPositionIn(file.path);
  const text = await unzip(await readFile(file.path), { finishFlush: constants.Z_SYNC_FLUSH }).catch(() => null);
  if (text === null) return null;
  const lines = text.toString('utf8').split('\n');
  return lines.map(positionOfLine).findLast((each) => each !== null) ?? null;
}

/** Cuts off the half of a line of ours that a kill has left. Behind half a line of somebody else's a new one is begun. */
export async function endLastLine(path: string): Promise<void> {
  await withFile(path, async (file, size) => {
    const end = await endOfLastLine(file, size);
    if (end === size) return;
    const begun = (await readBytes(file, end, Math.min(size, end + OWN.length))).toString('latin1');
    if (OWN.startsWith(begun)) await file.truncate(end);
    else await file.write('\n', size);
  });
}

/** Offset after the last newline; 0 when there is none. */
async function endOfLastLine(file: FileHandle, size: number): Promise<number> {
  for (let window = FIRST_WINDOW; ; window *= 4) {
    const start = Math.max(0, size - window);
    const newline = (await readBytes(file, start, size)).lastIndexOf(0x0a);
    if (newline !== -1) return start + newline + 1;
    if (start === 0) return 0;
  }
}

/** null where there is no such file, or nothing in it. */
async function withFile<T>(path: string, use: (file: FileHandle, size: number) => Promise<T>): Promise<T | null> {
  const size = (await statOrNull(path))?.size ?? 0;
  if (size === 0) return null;
  const file = await open(path, 'r+');
  try {
    return await use(file, size);
  } finally {
    await file.close();
  }
}

async function readBytes(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
  return bytes.subarray(0, bytesRead);
}

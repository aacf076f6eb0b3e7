import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const NEWLINE = 0x0a;
/** What `stat` counts blocks in, whatever the file system does. */
const BLOCK_BYTES = 512;
const LEFT_OUT = 'bytes are left out here: only the beginning and the end of an output are kept ...';
const MARK = new RegExp(`^\\.\\.\\. (\\d+) ${LEFT_OUT}\\n`, 'gm');

export interface OutputLimits {
  /** Bytes from the start that are always kept: what a program says when it starts. */
  head: number;
  /** Bytes of the newest lines that are kept when it is cut. */
  tail: number;
  /** It is cut when it has grown larger than so many bytes. */
  max: number;
}

export const OUTPUT_LIMITS: OutputLimits = { head: 1 << 20, tail: 1 << 20, max: 8 << 20 };

/**
 * Gives back the disk space of the middle of what a running program has printed, once it takes more than `max`. The file keeps its length and is
 * read as zeros there, so nothing of what the program prints meanwhile can be lost; `cutOutput` takes the zeros out when it has ended.
 * Where the file system cannot do that, the file is cut at once.
 */
export async function boundOutput(path: string, limits: OutputLimits = OUTPUT_LIMITS): Promise<void> {
  const { head, tail, max } = limits;
  const found = await stat(path).catch(ignoreAbsent);
  if (found === undefined || found.blocks * BLOCK_BYTES <= max) return;
  const range = ['--offset', `${head}`, '--length', `${found.size - tail - head}`];
  await run('fallocate', ['--punch-hole', ...range, path]).catch(() => cutOutput(path, limits));
}

/**
 * Cuts what an ended program has printed to its first and its last lines, with a line between them that says how much is gone. Does nothing to
 * less than `max`, and to a file that is not there.
 */
export async function cutOutput(path: string, { head, tail, max }: OutputLimits = OUTPUT_LIMITS): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_APPEND).catch(ignoreAbsent);
  if (file === undefined) return;
  try {
    const { size } = await file.stat();
    if (size <= max) return;
    const first = await read(file, 0, head);
    const last = await read(file, size - tail, tail);
    const kept = first.subarray(0, first.lastIndexOf(NEWLINE) + 1 || first.length);
    const newest = last.subarray(last.indexOf(NEWLINE) + 1);
    const gone = size - kept.length - newest.length;
    const mark = `... ${gone} ${LEFT_OUT}\n`;
    await file.truncate(kept.length);
    await file.appendFile(Buffer.concat([Buffer.from(mark), newest]));
  } finally {
    await file.close();
  }
}

/** The line that stands for what was cut out of a file. */
export interface CutMark {
  /** Offset of the line. */
  start: number;
  /** Bytes of the line. */
  length: number;
  /** Bytes that it stands for. */
  gone: number;
}

/** The mark that `cutOutput` has left in a file; null where nothing was cut. */
export async function findCut(
  path: string,
  { head }: Pick<OutputLimits, 'head'> = OUTPUT_LIMITS,
): Promise<CutMark | null> {
  const file = await open(path, 'r');
  try {
    const text = (await read(file, 0, head + 200)).toString('latin1');
    const found = [...text.matchAll(MARK)].at(-1);
    return found === undefined ? null : { start: found.index, length: found[0].length, gone: Number(found[1]) };
  } finally {
    await file.close();
  }
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

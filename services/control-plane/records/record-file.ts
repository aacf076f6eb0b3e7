import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeDirectory, syncDirectory, writeFileAtomic } from '../../platform/atomic-file.ts';

/** A complete line of a record file and where the next one starts, in bytes. */
export interface FileLine {
  text: string;
  end: number;
}

const CHUNK_BYTES = 1 << 18;
const NEWLINE = 0x0a;

/** Appends lines at `offset`, the known end of the file, and fsyncs. Returns the new size. Nothing remains of an append that fails. */
export async function appendLines(path: string, offset: number, lines: readonly string[]): Promise<number> {
  if (offset === 0) await makeDirectory(dirname(path));
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o644);
  try {
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    try {
      await writeAll(file, bytes, offset);
      await file.datasync();
    } catch (error) {
      await file.truncate(offset);
      throw error;
    }
    if (offset === 0) await syncDirectory(dirname(path));
    return offset + bytes.length;
  } finally {
    await file.close();
  }
}

/** Size in bytes; 0 where there is no file. */
export async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch((error: unknown) => {
    if (isAbsent(error)) return null;
    throw error;
  });
  return found?.size ?? 0;
}

/** Complete lines between two byte offsets; what follows the last newline is not a line yet. Holds one chunk and one line in memory. */
export async function* readLines(
  path: string,
  start: number,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<FileLine> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (isAbsent(error)) return null;
    throw error;
  });
  if (file === null) return;
  try {
    let rest = Buffer.alloc(0);
    for (let at = start; at < end; ) {
      const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, end - at));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) return;
      const restStart = at - rest.length;
      const bytes =
        rest.length === 0 ? chunk.subarray(0, bytesRead) : Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      at += bytesRead;
      let from = 0;
      for (let newline = bytes.indexOf(NEWLINE); newline !== -1; newline = bytes.indexOf(NEWLINE, from)) {
        yield { text: bytes.toString('utf8', from, newline), end: restStart + newline + 1 };
        from = newline + 1;
      }
      rest = bytes.subarray(from);
    }
  } finally {
    await file.close();
  }
}

/** Cuts a file at `offset`. With `keep`, what is cut off is first put aside in `<file>.damaged-<offset>`, whose path is returned. */
export async function cutFile(path: string, offset: number, { keep }: { keep: boolean }): Promise<string | null> {
  const file = await open(path, 'r+');
  try {
    let aside: string | null = null;
    if (keep) {
      const { size } = await file.stat();
      const tail = Buffer.alloc(size - offset);
      await file.read(tail, 0, tail.length, offset);
      aside = join(dirname(path), `${basename(path)}.damaged-${offset}`);
      await writeFileAtomic(aside, tail);
    }
    await file.truncate(offset);
    await file.sync();
    return aside;
  } finally {
    await file.close();
  }
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, bytes: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

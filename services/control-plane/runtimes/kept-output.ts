import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type CutMark, findCut, OUTPUT_LIMITS } from './bounded-output.ts';
import { parseRoleName, type RoleOutput } from './runtime.ts';

/** The last `bytes` of a file as text, null where there is none. */
export async function readTail(path: string, bytes: number): Promise<string | null> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(bytes, size));
    await file.read(buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8');
  } finally {
    await file.close();
  }
}

/** What is kept of the roles of a run below `kept`. */
export async function listKept(kept: string, run: string): Promise<Pick<RoleOutput, 'identity' | 'path'>[]> {
  const names = await readdir(join(kept, run)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.flatMap((name) => {
    const identity = name.endsWith('.log') ? parseRoleName(name.slice(0, -'.log'.length)) : null;
    return identity === null ? [] : [{ identity, path: join(kept, run, name) }];
  });
}

/** Bytes that a program printed. `at` is their place in all that it printed: behind where they were asked for, if what was between is no longer kept. */
export interface Printed {
  at: number;
  bytes: Buffer;
  /** What comes next is no longer kept. */
  gap: boolean;
}

/** More zeros than a program prints: the middle of the file was given back. */
const HOLE = Buffer.alloc(4096);

/**
 * At most `most` bytes of what a program has printed, from the place `from` on; fewer at the end and before a part that is no longer kept. Places stay the
 * same when the middle of the file is given back and when it is cut at the end (`bounded-output.ts`).
 */
export async function readPrinted(
  output: Pick<RoleOutput, 'path' | 'ended'>,
  from: number,
  most: number,
): Promise<Printed> {
  const nothing = { at: from, bytes: Buffer.alloc(0), gap: false };
  const size = await stat(output.path).then(
    (found) => found.size,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return null;
    },
  );
  if (size === null) return nothing;
  const cut = output.ended || size < from ? await findCut(output.path) : null;
  const place = cut === null ? { position: from, at: from, end: size, gap: false } : placeIn(cut, from, size);
  const file = await open(output.path, 'r');
  try {
    let { position } = place;
    for (;;) {
      const bytes = Buffer.alloc(Math.max(0, Math.min(most, place.end - position)));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
      const read = bytes.subarray(0, bytesRead);
      const hole = read.indexOf(HOLE);
      const at = place.at + position - place.position;
      if (hole > 0) return { at, bytes: read.subarray(0, hole), gap: true };
      if (hole === -1) return { at, bytes: read, gap: place.gap && position + bytesRead === place.end };
      // A hole begins well before the newest bytes, which are always kept.
      const behind = read.findIndex((byte) => byte !== 0);
      if (behind === -1 && bytesRead === 0) return { ...nothing, at };
      position = Math.max(position + (behind === -1 ? bytesRead : behind), place.end - OUTPUT_LIMITS.max);
    }
  } finally {
    await file.close();
  }
}

/** Where a place of all that was printed is in a file that was cut. */
function placeIn({ start, length, gone }: CutMark, from: number, size: number) {
  if (from < start) return { position: from, at: from, end: start, gap: true };
  const at = Math.max(from, start + gone);
  return { position: at - gone + length, at, end: size, gap: false };
}

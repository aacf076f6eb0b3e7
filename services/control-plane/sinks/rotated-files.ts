import { createReadStream, createWriteStream } from 'node:fs';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { syncDirectory, temporaryName } from '../../platform/atomic-file.ts';
import { storageFault } from '../../platform/storage-error.ts';

/** How much the log files of one run may take. */
export interface LogLimits {
  /** A file is rotated before it grows larger. */
  fileBytes: number;
  /** All files of a run together; rotated ones are removed to make room for the current ones. */
  runBytes: number;
  /** Rotated files of a run. */
  runFiles: number;
}

/** `training-2026-11-20.3.log.gz`: the third part of `training.log`, whose last line is of that day. Plain until it is compressed. */
export interface RotatedFile {
  path: string;
  name: string;
  number: number;
  compressed: boolean;
  bytes: number;
}

/** The rotated files of the log `path`, newest first. */
export async function rotatedFiles(path: string): Promise<RotatedFile[]> {
  const directory = dirname(path);
  const { stem, extension } = partsOf(path);
  const files = await Promise.all(
    (await namesIn(directory)).map(async (name): Promise<RotatedFile | null> => {
      const compressed = name.endsWith('.gz');
      const plain = compressed ? name.slice(0, -'.gz'.length) : name;
      if (!plain.startsWith(`${stem}-`) || !plain.endsWith(extension)) return null;
      const middle = plain.slice(stem.length + 1, plain.length - extension.length);
      const number = /^(?:\d{4}-\d{2}-\d{2}|undated)\.(\d+)$/.exec(middle)?.[1];
      const found = number === undefined ? null : await statOrNull(join(directory, name));
      return found && { path: join(directory, name), name, number: Number(number), compressed, bytes: found.size };
    }),
  );
  return files
    .filter((file) => file !== null)
    .sort((a, b) => b.number - a.number || Number(b.compressed) - Number(a.compressed));
}

/** The name under which the log `path`, whose newest line is of this day, is put aside. Numbers grow whatever the clock does. */
export async function nextRotatedName(path: string, day: string): Promise<string> {
  const { stem, extension } = partsOf(path);
  const newest = (await rotatedFiles(path))[0]?.number ?? 0;
  return join(dirname(path), `${stem}-${day}.${newest + 1}${extension}`);
}

/** Writes a compressed copy of a file to a path where there is none. */
export type Compress = (from: string, to: string) => Promise<void>;

export const gzipFile: Compress = (from, to) =>
  pipeline(createReadStream(from), createGzip(), createWriteStream(to, { flags: 'wx', mode: 0o644 }));

/**
 * Compresses the rotated files of a log that still are plain. Each has its old or its new name at every moment, perhaps both. On a full disk they
 * stay plain until the next time.
 */
export async function compressRotated(path: string, compress: Compress): Promise<void> {
  for (const file of (await rotatedFiles(path)).filter(({ compressed }) => !compressed)) {
    const temporary = temporaryName(file.path);
    try {
      await compress(file.path, temporary);
      await sync(temporary);
      await rename(temporary, `${file.path}.gz`);
      await syncDirectory(dirname(path));
    } catch (error) {
      await rm(temporary, { force: true });
      if (storageFault(error) === null) throw error;
      return;
    }
    await rm(file.path, { force: true });
  }
}

/** Removes rotated files of the logs of a run until they fit the limits: each time the oldest of the log that takes most. */
export async function pruneRotated(
  logs: readonly string[],
  { fileBytes, runBytes, runFiles }: LogLimits,
): Promise<void> {
  const kept = await Promise.all(logs.map(async (path) => [...(await rotatedFiles(path))]));
  const bytesOf = (files: readonly RotatedFile[]) => files.reduce((sum, { bytes }) => sum + bytes, 0);
  const room = Math.max(0, runBytes - logs.length * fileBytes);
  for (;;) {
    const tooMany = kept.flat().length > runFiles;
    if (!tooMany && bytesOf(kept.flat()) <= room) return;
    const weight = tooMany ? (files: readonly RotatedFile[]) => files.length : bytesOf;
    const oldest = kept.toSorted((a, b) => weight(b) - weight(a))[0]?.pop();
    if (oldest === undefined) return;
    await rm(oldest.path, { force: true });
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

export async function statOrNull(path: string) {
  return await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function partsOf(path: string): { stem: string; extension: string } {
  const extension = extname(path);
  return { stem: basename(path, extension), extension };
}

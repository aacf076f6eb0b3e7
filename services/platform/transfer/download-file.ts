import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../atomic-file.ts';
import { fetchRange, RangeIgnored } from './fetch-range.ts';
import { hashRange } from './hash-file.ts';
import { allInSlots, createSlots } from './slots.ts';
import { type TransferOptions, transferDefaults } from './transfer-options.ts';

/** What a file is to be. Without `sha256` and `parts` only its size is checked. */
export interface ExpectedFile {
  readonly size: number;
  readonly sha256?: string | undefined;
  readonly parts?: { readonly size: number; readonly sha256: readonly string[] } | undefined;
}

export interface DownloadOptions extends TransferOptions {
  /** Whether the file has to outlive a power cut; true. What will be removed again soon can do without. */
  durable?: boolean;
}

/**
 * Fetches a URL into a file, which has its name only once all of it is there and has the hashes that it should have. Parts are fetched several at
 * a time, straight to their place; a file without parts as one stream. What breaks off goes on where it stopped; what has another hash is fetched
 * again. Folders are made.
 *
 * It is written as `<file>.part`. With parts that is kept after an error, and the next call goes on from the parts of it that are good. One caller
 * per file at a time.
 *
 * @throws TransferError (`damaged` and `wrong_size` say what was expected and found), an error of the disk, or the signal's reason.
 */
export async function downloadFile(
  url: string,
  file: string,
  expected: ExpectedFile,
  options: DownloadOptions,
): Promise<void> {
  const unfinished = `${file}.part`;
  await mkdir(dirname(file), { recursive: true });
  const handle = await openUnfinished(unfinished, expected);
  try {
    await fetchInto(handle, url, expected, options);
    if (options.durable ?? true) await handle.sync();
  } catch (error) {
    if (expected.parts === undefined) await rm(unfinished, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await rename(unfinished, file);
  if (options.durable ?? true) await syncDirectory(dirname(file));
}

/** Fetches several files; all share the requests that may be made at the same time. */
export async function downloadFiles(
  files: readonly { readonly url: string; readonly file: string; readonly expected: ExpectedFile }[],
  options: DownloadOptions,
): Promise<void> {
  const concurrency = options.concurrency ?? transferDefaults.concurrency;
  const slots = options.slots ?? createSlots(concurrency);
  await allInSlots(files, createSlots(concurrency), options.signal, ({ url, file, expected }, signal) =>
    downloadFile(url, file, expected, { ...options, slots, signal }),
  );
}

async function openUnfinished(path: string, { size, parts }: ExpectedFile): Promise<FileHandle> {
  const keep = parts === undefined ? constants.O_TRUNC : 0;
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | keep, 0o644);
  await handle.truncate(size);
  return handle;
}

async function fetchInto(
  handle: FileHandle,
  url: string,
  expected: ExpectedFile,
  options: DownloadOptions,
): Promise<void> {
  const { size, sha256, parts } = expected;
  const { concurrency, idleMs = transferDefaults.idleMs, retry = transferDefaults.retry, signal } = options;
  const slots = options.slots ?? createSlots(concurrency ?? transferDefaults.concurrency);
  const how = { handle, url, size, idleMs, retry };
  let arrived = 0;
  const onProgress = (bytes: number) => {
    arrived += bytes;
    options.onProgress?.(bytes);
  };
  const whole = { start: 0, end: size, sha256 };
  if (parts === undefined) return slots(() => fetchRange(whole, { ...how, signal, onProgress }));
  const ranges = parts.sha256.map((digest, i) => {
    return { start: i * parts.size, end: Math.min(size, (i + 1) * parts.size), sha256: digest };
  });
  try {
    await allInSlots(ranges, slots, signal, async (range, stop) => {
      if ((await hashOfData(handle, range)) === range.sha256) return onProgress(range.end - range.start);
      await fetchRange(range, { ...how, signal: stop, onProgress });
    });
  } catch (error) {
    if (!(error instanceof RangeIgnored)) throw error;
    // It answers with the whole file whatever part is asked for: then one stream, of which what was told already is not told again.
    let behind = arrived;
    const tellRest = (bytes: number) => {
      const rest = Math.max(0, bytes - behind);
      behind -= bytes - rest;
      if (rest > 0) options.onProgress?.(rest);
    };
    await slots(() => fetchRange(whole, { ...how, signal, onProgress: tellRest }));
  }
}

/** A range that was never written begins with zeros, as hardly any that was: it is not read to its end. */
async function hashOfData(handle: FileHandle, { start, end }: { start: number; end: number }): Promise<string | null> {
  const head = Buffer.alloc(Math.min(4096, end - start));
  await handle.read(head, 0, head.length, start);
  return head.every((byte) => byte === 0) ? null : hashRange(handle, start, end);
}

import { constants } from 'node:fs';
import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../../platform/retry.ts';
import { storageFault } from '../../platform/storage-error.ts';
import { type HashRecipe, hashInThread } from '../../platform/transfer/hash-in-thread.ts';
import { ModelFetchError } from './model-fetch-error.ts';
import type { ModelBytes, ModelFile } from './model-files.ts';

export interface FetchFileOptions {
  from: ModelBytes;
  signal: AbortSignal;
  /** Told of bytes that are there, once each, and whether they have just come; of negative ones where counted bytes turn out to be wrong. */
  onBytes: (bytes: number, isNew: boolean) => void;
  retry?: RetryLimits;
}

export interface RetryLimits {
  /** Failures in a row, without a byte between them, until the error is passed on. */
  tries: number;
  baseMs: number;
  maxMs: number;
}

const RETRY: RetryLimits = { tries: 6, baseMs: 500, maxMs: 15_000 };
/** Tries of bytes that do not have the hash that is stated. */
const DAMAGED_TRIES = 2;
/** Collected before they are written, so that a write is worth its way to the thread pool. */
const WRITE_BYTES = 2 ** 20;

/**
 * Fetches one file to `path`, which has its name only once all of it is there, has the stated hash and is on disk. What breaks off goes on where it stopped, in
 * this process or in a later one: `<path>.part` is as long as what has arrived. Without a stated hash it begins anew: the file may be another by then, and
 * nothing would notice that its parts do not belong together.
 * @throws ModelFetchError, or the signal's reason
 */
export async function fetchModelFile(file: ModelFile, path: string, options: FetchFileOptions): Promise<void> {
  const { onBytes, signal } = options;
  if ((await stat(path).catch(() => null))?.size === file.size) return onBytes(file.size, false);
  const unfinished = `${path}.part`;
  const handle = await open(unfinished, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    const arrived = await openPart(handle, file, onBytes);
    for (let damaged = 1; ; damaged += 1) {
      await receiveAll(file, arrived, options);
      signal.throwIfAborted();
      if (file.hash === null) break;
      const found = await hashInThread(unfinished, file.size, recipeOf(file), signal);
      if (found === file.hash.hex) break;
      await arrived.beginAgain();
      if (damaged === DAMAGED_TRIES) throw wrongHash(file, found);
    }
    await handle.sync();
  } catch (error) {
    throw asFetchError(error, path);
  } finally {
    await handle.close();
  }
  await rename(unfinished, path);
}

/** What has arrived of a file: its bytes on disk. */
interface Arrived {
  readonly bytes: () => number;
  append(chunks: readonly Buffer[]): Promise<void>;
  beginAgain(): Promise<void>;
}

async function openPart(handle: FileHandle, file: ModelFile, onBytes: FetchFileOptions['onBytes']): Promise<Arrived> {
  const { size } = await handle.stat();
  const isUsable = size <= file.size && file.hash !== null;
  if (!isUsable) await handle.truncate(0);
  let bytes = isUsable ? size : 0;
  onBytes(bytes, false);
  return {
    bytes: () => bytes,
    append: async (chunks) => {
      const together = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      for (let at = 0; at < together.length; ) {
        at += (await handle.write(together, at, together.length - at, bytes + at)).bytesWritten;
      }
      bytes += together.length;
      onBytes(together.length, true);
    },
    beginAgain: async () => {
      await handle.truncate(0);
      onBytes(-bytes, false);
      bytes = 0;
    },
  };
}

async function receiveAll(
  file: ModelFile,
  arrived: Arrived,
  { from, signal, retry = RETRY }: FetchFileOptions,
): Promise<void> {
  let failures = 0;
  while (arrived.bytes() < file.size) {
    const before = arrived.bytes();
    try {
      const { at, body } = await from.open(file, file.hash === null ? 0 : before, signal);
      if (at !== before) await arrived.beginAgain();
      for await (const chunks of batches(body)) {
        const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
        if (arrived.bytes() + bytes > file.size) throw tooLong(file);
        await arrived.append(chunks);
      }
      if (arrived.bytes() < file.size)
        throw new ModelFetchError(
          'unreachable',
          `${file.path} broke off after ${arrived.bytes()} of ${file.size} bytes`,
        );
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ModelFetchError) || error.kind !== 'unreachable') throw error;
      failures = arrived.bytes() > before ? 1 : failures + 1;
      if (failures >= retry.tries) throw error;
      // Files that failed together do not come back together.
      const wait = Math.max(error.retryAfterMs ?? 0, backoffMs({ failures, ...retry }) * (0.5 + Math.random() / 2));
      await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

/** What came before it broke is good. */
async function* batches(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  let [chunks, bytes]: [Buffer[], number] = [[], 0];
  let broken: { error: unknown } | null = null;
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        broken = { error };
        return { done: true, value: undefined } as const;
      });
      if (!next.done) {
        chunks.push(next.value);
        bytes += next.value.length;
        if (bytes < WRITE_BYTES) continue;
      }
      if (chunks.length > 0) yield chunks;
      if (broken !== null) throw (broken as { error: unknown }).error;
      if (next.done) return;
      [chunks, bytes] = [[], 0];
    }
  } finally {
    await iterator.return?.();
  }
}

/** A git blob is hashed with its length in front (git hash-object). */
function recipeOf({ size, hash }: ModelFile): HashRecipe {
  return hash?.algorithm === 'git-blob'
    ? { algorithm: 'sha1', prefix: `blob ${size}\0` }
    : { algorithm: 'sha256', prefix: '' };
}

function wrongHash({ path, hash }: ModelFile, found: string): ModelFetchError {
  const message = `${path} came ${DAMAGED_TRIES} times with other bytes than are stated (${hash?.hex}, last ${found})`;
  return new ModelFetchError(
    'damaged',
    `${message}; something on the way changes them, or the mirror is wrong: try another HF_ENDPOINT`,
  );
}

function tooLong({ path, size }: ModelFile): ModelFetchError {
  return new ModelFetchError(
    'damaged',
    `${path} is longer than the ${size} bytes that are stated; try another HF_ENDPOINT`,
  );
}

function asFetchError(error: unknown, path: string): unknown {
  const fault = storageFault(error);
  if (fault?.kind !== 'full') return error;
  return new ModelFetchError('disk_full', `${path} cannot be written: ${fault.message}`, { cause: error });
}

import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { answerOf, errorCodeOf, openRequest, unreachable } from './exchange.ts';
import { retryTransfer } from './retry-transfer.ts';
import { placeOf, refusedTransfer, TransferError } from './transfer-error.ts';
import type { RetryLimits } from './transfer-options.ts';

/** Bytes from `start` up to but not including `end`; any bytes will do where `sha256` is not known. */
export interface FileRange {
  readonly start: number;
  readonly end: number;
  readonly sha256: string | undefined;
}

export interface RangeSource {
  readonly handle: FileHandle;
  readonly url: string;
  /** Of the whole file. */
  readonly size: number;
  readonly signal: AbortSignal;
  readonly idleMs: number;
  readonly retry: RetryLimits;
  readonly onProgress: (bytes: number) => void;
}

/** The server sends the whole file, whatever part of it is asked for. */
export class RangeIgnored extends Error {}

/** Collected before they are written, so that a write is worth its way to the thread pool. */
const WRITE_BYTES = 2 ** 20;

/** Fetches a range of a file to its place, on from where it breaks off, and again when its hash is wrong. */
export async function fetchRange(range: FileRange, source: RangeSource): Promise<void> {
  const length = range.end - range.start;
  const isWhole = range.start === 0 && range.end === source.size;
  let hash = createHash('sha256');
  let [done, told] = [0, 0];
  const beginAgain = () => {
    hash = createHash('sha256');
    done = 0;
  };

  async function attempt(): Promise<void> {
    const from = range.start + done;
    const response = await request(source, isWhole && done === 0 ? null : `bytes=${from}-${range.end - 1}`);
    if (response.statusCode === 200) {
      if (!isWhole) throw stop(response, new RangeIgnored());
      beginAgain();
    }
    try {
      requireLength(response, source, from);
      await receive(response);
    } catch (error) {
      response.destroy();
      throw error;
    }
    if (done < length) throw unreachable(source.url, new Error(`it sent ${done} of ${length} bytes`));
    const found = hash.digest('hex');
    if (range.sha256 === undefined || found === range.sha256) return;
    beginAgain();
    throw damaged(source.url, range, found);
  }

  async function receive(response: IncomingMessage): Promise<void> {
    for await (const chunks of batches(response, source.url)) {
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      if (done + bytes > length) throw wrongSize(source.url, `more than ${length} bytes`, length);
      for (const chunk of chunks) hash.update(chunk);
      await writeAll(source.handle, chunks, range.start + done);
      done += bytes;
      if (done > told) source.onProgress(done - told);
      told = Math.max(told, done);
    }
  }

  if (length === 0 && !isWhole) return;
  await retryTransfer(attempt, { signal: source.signal, retry: source.retry, advanced: () => told });
}

async function request({ url, signal, idleMs, size }: RangeSource, range: string | null): Promise<IncomingMessage> {
  const headers = { 'accept-encoding': 'identity', ...(range === null ? {} : { range }) };
  const sent = openRequest(url, { method: 'GET', headers, signal, idleMs });
  sent.end();
  try {
    const response = await answerOf(sent);
    const { statusCode = 0 } = response;
    if (statusCode === 200 || statusCode === 206) return response;
    const total = /\/(\d+)$/.exec(response.headers['content-range'] ?? '')?.[1];
    const code = await errorCodeOf(response);
    if (statusCode === 416) throw wrongSize(url, total === undefined ? 'fewer bytes' : `${total} bytes`, size);
    throw refusedTransfer(url, statusCode, code);
  } catch (error) {
    if (error instanceof TransferError) throw error;
    signal.throwIfAborted();
    throw unreachable(url, error);
  }
}

/** An answer of another part or another file than was asked for is not written. */
function requireLength({ statusCode, headers }: IncomingMessage, { url, size }: RangeSource, from: number): void {
  if (statusCode === 200) {
    const found = headers['content-length'];
    if (found !== undefined && Number(found) !== size) throw wrongSize(url, `${found} bytes`, size);
    return;
  }
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
  if (total !== undefined && total !== '*' && Number(total) !== size) throw wrongSize(url, `${total} bytes`, size);
  if (start === undefined || Number(start) !== from) {
    throw new TransferError('refused', `${placeOf(url)} answered with another part than was asked for`);
  }
}

async function* batches(response: IncomingMessage, url: string): AsyncGenerator<Buffer[]> {
  let [chunks, bytes]: [Buffer[], number] = [[], 0];
  const iterator = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  for (;;) {
    let broken: unknown;
    const next = await iterator.next().catch((error: unknown) => {
      broken = error;
      return { done: true, value: undefined } as const;
    });
    if (!next.done) {
      chunks.push(next.value);
      bytes += next.value.length;
      if (bytes < WRITE_BYTES) continue;
    }
    // What came before it broke is good.
    if (chunks.length > 0) yield chunks;
    if (broken !== undefined) throw unreachable(url, broken);
    if (next.done) return;
    [chunks, bytes] = [[], 0];
  }
}

async function writeAll(handle: FileHandle, chunks: readonly Buffer[], position: number): Promise<void> {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await handle.writev(chunks, position);
  if (bytesWritten === bytes) return;
  // Rare: a disk that is nearly full takes a part, and says why at the next write.
  const rest = Buffer.concat(chunks).subarray(bytesWritten);
  for (let at = 0; at < rest.length; ) {
    at += (await handle.write(rest, at, rest.length - at, position + bytesWritten + at)).bytesWritten;
  }
}

function stop(response: IncomingMessage, error: Error): Error {
  response.destroy();
  return error;
}

function damaged(url: string, { start, end, sha256 }: FileRange, found: string): TransferError {
  const where = `bytes ${start} to ${end - 1} of ${placeOf(url)}`;
  return new TransferError('damaged', `${where} have sha256 ${found}, expected ${sha256}`);
}

function wrongSize(url: string, found: string, expected: number): TransferError {
  return new TransferError('wrong_size', `${placeOf(url)} has ${found}, expected ${expected}`);
}

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { UploadPart } from '../object-store.ts';
import { answerOf, errorCodeOf, isSuccess, openRequest, unreachable } from './exchange.ts';
import { retryTransfer } from './retry-transfer.ts';
import { allInSlots, createSlots } from './slots.ts';
import { refusedTransfer, TransferError } from './transfer-error.ts';
import { type TransferOptions, transferDefaults } from './transfer-options.ts';

/** How much of a file is read ahead of the socket, for each part in flight. */
const READ_BYTES = 256 * 1024;

/**
 * Sends parts of files to presigned URLs, several at a time, each streamed from its file: memory does not grow with sizes. What fails is sent again,
 * part by part. After an error, ask which parts are still missing and go on with those.
 *
 * @throws TransferError, an error of the disk, or the signal's reason.
 */
export async function uploadFiles(
  files: readonly { readonly file: string; readonly parts: readonly UploadPart[] }[],
  options: TransferOptions,
): Promise<void> {
  const { concurrency, idleMs = transferDefaults.idleMs, retry = transferDefaults.retry, onProgress } = options;
  const slots = options.slots ?? createSlots(concurrency ?? transferDefaults.concurrency);
  for (const { file, parts } of files) await requireSize(file, parts);
  const all = files.flatMap(({ file, parts }) => parts.map((part) => ({ file, part })));
  await allInSlots(all, slots, options.signal, async ({ file, part }, stop) => {
    // What is under way when another part fails may arrive: it need not be sent again then.
    const send = () => sendPart(file, part, { signal: options.signal, idleMs });
    await retryTransfer(send, { signal: stop, retry });
    onProgress?.(part.end - part.start);
  });
}

async function requireSize(file: string, parts: readonly UploadPart[]): Promise<void> {
  const { size } = await stat(file);
  const end = Math.max(0, ...parts.map((part) => part.end));
  if (size < end) throw cutOff(file, size, end);
}

async function sendPart(
  file: string,
  part: UploadPart,
  options: { signal: AbortSignal; idleMs: number },
): Promise<void> {
  const { url, start, end } = part;
  const length = end - start;
  // The length is said beforehand: object stores insist on it.
  const headers = { ...part.headers, 'content-length': length };
  const request = openRequest(url, { method: 'PUT', headers, ...options });
  const source = length === 0 ? null : createReadStream(file, { start, end: end - 1, highWaterMark: READ_BYTES });
  let diskError: Error | undefined;
  source?.once('error', (error) => {
    if (request.destroyed) return;
    diskError = error;
    // The server would wait for the rest, and this for its answer.
    request.destroy(error);
  });
  const send = async () => {
    if (source !== null) await pipeline(source, request, { end: false });
    if (source !== null && source.bytesRead < length)
      throw request.destroy(cutOff(file, start + source.bytesRead, end));
    request.end();
  };
  const hear = async () => {
    const response = await answerOf(request);
    const code = await errorCodeOf(response);
    if (isSuccess(response)) return;
    // A refusal can come before everything is sent; the rest need not be.
    source?.destroy();
    request.destroy();
    throw refusedTransfer(url, response.statusCode ?? 0, code);
  };
  // Both are awaited: a server that refuses early breaks the pipe, and its answer says why.
  const [sent, heard] = await Promise.allSettled([send(), hear()]);
  if (heard.status === 'fulfilled' && sent.status === 'fulfilled') return;
  options.signal.throwIfAborted();
  const errors = [heard, sent].flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  throw errors.find((error) => error instanceof TransferError) ?? diskError ?? unreachable(url, errors.at(-1));
}

function cutOff(file: string, found: number, expected: number): TransferError {
  return new TransferError(
    'wrong_size',
    `${file} has ${found} bytes, ${expected} were announced: it was changed while it was sent`,
  );
}

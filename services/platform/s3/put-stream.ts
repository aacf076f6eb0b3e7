import type { Readable } from 'node:stream';
import type { Multipart, StoredPart } from './multipart.ts';
import { hasCode } from './s3-failure.ts';

/** Bytes that are held in memory at a time. A longer stream is sent in parts, one after the other. */
const PART_SIZE = 16 * 2 ** 20;
const MAX_PARTS = 10_000;

/**
 * Sends a stream that holds exactly `size` bytes; of one that holds more or fewer nothing is stored. The client's own multipart upload is not
 * used: it joins an unfinished upload of the same key to its own, and numbers parts from 2. When the process ends meanwhile, an unfinished upload of
 * this key stays behind.
 */
export async function putStream(
  key: string,
  { stream, size }: { stream: Readable; size: number },
  { put, multipart }: { put: (key: string, body: Buffer) => Promise<unknown>; multipart: Multipart },
): Promise<void> {
  const partSize = Math.max(PART_SIZE, Math.ceil(size / MAX_PARTS));
  const pieces = cut(stream, partSize);
  if (size <= partSize) {
    const { value } = await pieces.next();
    const first = value ?? Buffer.alloc(0);
    checkSize(first.length + (first.length < partSize ? 0 : await rest(pieces)), size);
    await put(key, first);
    return;
  }
  const uploadId = await multipart.begin(key);
  try {
    const parts: StoredPart[] = [];
    let sent = 0;
    for await (const piece of pieces) {
      sent += piece.length;
      if (sent <= size) parts.push(await multipart.send(key, uploadId, parts.length + 1, piece));
    }
    checkSize(sent, size);
    await join(multipart, key, uploadId, { size, parts });
  } catch (error) {
    // The first error tells what is wrong. What stays behind is found by its key, which the caller has to know even after a crash.
    await multipart.abort(key, uploadId).catch(() => undefined);
    throw error;
  }
}

/** An upload that is gone may have been joined by a try whose answer was lost. */
async function join(
  multipart: Multipart,
  key: string,
  uploadId: string,
  { size, parts }: { size: number; parts: readonly StoredPart[] },
): Promise<void> {
  try {
    await multipart.join(key, uploadId, parts);
  } catch (error) {
    const sha256 = parts.map((part) => Buffer.from(part.sha256 ?? '', 'base64').toString('hex'));
    if (!hasCode(error, 'NoSuchUpload') || !(await multipart.isJoined(key, { size, sha256 }))) throw error;
  }
}

/** Pieces of exactly `size` bytes, the last one shorter; none of an empty stream. */
async function* cut(stream: Readable, size: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    let bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as Uint8Array | string);
    while (length + bytes.length >= size) {
      const taken = size - length;
      yield Buffer.concat([...held, bytes.subarray(0, taken)]);
      bytes = bytes.subarray(taken);
      held = [];
      length = 0;
    }
    if (bytes.length > 0) held.push(bytes);
    length += bytes.length;
  }
  if (length > 0) yield Buffer.concat(held);
}

async function rest(pieces: AsyncGenerator<Buffer>): Promise<number> {
  let length = 0;
  for await (const piece of pieces) length += piece.length;
  return length;
}

function checkSize(found: number, announced: number): void {
  if (found === announced) return;
  throw new Error(`The stream held ${found} bytes where ${announced} were announced; send it again.`);
}

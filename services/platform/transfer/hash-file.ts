import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { FileParts } from '../../contracts/checkpoint.ts';

const MIB = 2 ** 20;
const CHUNK_BYTES = MIB;
const PART_BYTES = 16 * MIB;
/** S3 takes 10,000 parts. */
const MOST_PARTS = 9000;

/** Bytes of a part of a file of this size, a multiple of 1 MiB; null for a file that goes as one. */
export function partSizeFor(size: number): number | null {
  if (size <= PART_BYTES) return null;
  return Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS / MIB) * MIB);
}

/** What `CheckpointFile` says of a content; `parts` where it has more than one. */
export interface FileHashes {
  size: number;
  sha256: string;
  parts?: FileParts;
}

/** Hashes bytes in the order they come, as a whole and in parts where `partSize` is given. */
export function createFileHash(partSize: number | null): { update(bytes: Uint8Array): void; digest(): FileHashes } {
  const whole = createHash('sha256');
  const parts: string[] = [];
  let [part, inPart, size] = [createHash('sha256'), 0, 0];
  return {
    update: (bytes) => {
      whole.update(bytes);
      size += bytes.length;
      for (let at = 0; partSize !== null && at < bytes.length; ) {
        const taken = Math.min(partSize - inPart, bytes.length - at);
        part.update(bytes.subarray(at, at + taken));
        [at, inPart] = [at + taken, inPart + taken];
        if (inPart === partSize) [part, inPart] = [closePart(part, parts), 0];
      }
    },
    digest: () => {
      if (inPart > 0) closePart(part, parts);
      const sha256 = whole.digest('hex');
      return partSize !== null && parts.length > 1
        ? { size, sha256, parts: { size: partSize, sha256: parts } }
        : { size, sha256 };
    },
  };
}

/** Of an open file, in one pass and in pieces, so that other work on the event loop goes on. */
export async function hashFile(file: FileHandle, partSize: number | null): Promise<FileHashes> {
  const hash = createFileHash(partSize);
  for await (const chunk of readPieces(file)) hash.update(chunk);
  return hash.digest();
}

/** sha256 of the bytes from `start` up to but not including `end`. */
export async function hashRange(file: FileHandle, start: number, end: number): Promise<string> {
  return await hashInto(createHash('sha256'), file, start, end);
}

/** Goes on with a hash over the bytes of an open file from `start` up to but not including `end`, and gives it in hexadecimal. */
export async function hashInto(
  hash: Hash,
  file: FileHandle,
  start = 0,
  end = Number.POSITIVE_INFINITY,
): Promise<string> {
  for await (const chunk of readPieces(file, start, end)) hash.update(chunk);
  return hash.digest('hex');
}

function closePart(part: Hash, digests: string[]): Hash {
  digests.push(part.digest('hex'));
  return createHash('sha256');
}

/** A piece is read while the one before it is used. Each holds until the one after the next is asked for. */
async function* readPieces(file: FileHandle, start = 0, end = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  const buffers = [Buffer.allocUnsafe(CHUNK_BYTES), Buffer.allocUnsafe(CHUNK_BYTES)];
  const readAt = async (at: number, turn: number) => {
    const buffer = buffers[turn % 2]!;
    const wanted = Math.min(CHUNK_BYTES, end - at);
    const { bytesRead } = wanted > 0 ? await file.read(buffer, 0, wanted, at) : { bytesRead: 0 };
    return buffer.subarray(0, bytesRead);
  };
  let coming = readAt(start, 0);
  try {
    for (let [at, turn] = [start, 1]; ; turn++) {
      const chunk = await coming;
      if (chunk.length === 0) return;
      at += chunk.length;
      coming = readAt(at, turn);
      yield chunk;
    }
  } finally {
    // A read that nobody waits for any more must not outlive the file.
    await coming.catch(() => undefined);
  }
}

import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

const CHUNK_BYTES = 2 ** 20;

/** Size and sha256 of an open file, read in pieces so that other work on the event loop goes on. */
export async function hashFile(file: FileHandle): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let size = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, size);
    if (bytesRead === 0) return { size, sha256: hash.digest('hex') };
    hash.update(chunk.subarray(0, bytesRead));
    size += bytesRead;
  }
}

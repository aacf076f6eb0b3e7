import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { encodeDirectory, encodeLocalHeader, STORED, type ZipEntry } from './zip-format.ts';

/** fs.write takes at most 2 GiB at a time. */
const CHUNK_BYTES = 2 ** 30;

/** Writes entries uncompressed, one after another, their data at multiples of 64 bytes. The same entries give the same bytes. */
export async function writeZip(
  file: FileHandle,
  entries: Iterable<readonly [name: string, data: Uint8Array]>,
): Promise<void> {
  const written: ZipEntry[] = [];
  let offset = 0;
  for (const [name, data] of entries) {
    const entry = { name, method: STORED, crc: crc32(data), compressedSize: data.length, size: data.length, offset };
    const header = encodeLocalHeader(entry);
    await writeAll(file, header);
    await writeAll(file, data);
    written.push(entry);
    offset += header.length + data.length;
  }
  await writeAll(file, encodeDirectory(written, offset));
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, CHUNK_BYTES));
    done += bytesWritten;
  }
}

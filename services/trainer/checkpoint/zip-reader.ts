import { type FileHandle, open } from 'node:fs/promises';
import { crc32, inflateRawSync } from 'node:zlib';
import { CheckpointError } from './checkpoint-error.ts';
import { DEFLATED, LOCAL_HEADER_BYTES, STORED, type ZipEntry } from './zip-format.ts';
import { type DirectoryLocation, parseDirectory, parseEnd, TAIL_BYTES } from './zip-parse.ts';

export interface ZipFile {
  readonly names: readonly string[];
  /** Bytes of an entry, uncompressed; undefined when there is none. */
  size(name: string): number | undefined;
  /** The whole content of an entry, checked against its CRC. */
  read(name: string): Promise<Buffer>;
  close(): Promise<void>;
}

const MAX_DIRECTORY_BYTES = 256 * 2 ** 20;

/**
 * Opens a ZIP file, STORED or DEFLATE, with or without ZIP64. Sizes and offsets are checked against the file before they are used.
 * The caller closes it.
 *
 * @throws CheckpointError `invalid_file`.
 */
export async function openZip(path: string): Promise<ZipFile> {
  const file = await open(path, 'r');
  try {
    const { size: fileSize } = await file.stat();
    const tail = await readRange(file, Math.max(0, fileSize - TAIL_BYTES), Math.min(fileSize, TAIL_BYTES), path);
    const location = explained(path, () => parseEnd(tail, fileSize));
    const entries = await readDirectory(file, location, path);
    return {
      names: [...entries.keys()],
      size: (name) => entries.get(name)?.size,
      read: (name) => readEntry({ file, path, entry: entries.get(name), name, end: location.offset }),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readDirectory(
  file: FileHandle,
  location: DirectoryLocation,
  path: string,
): Promise<Map<string, ZipEntry>> {
  if (location.bytes > MAX_DIRECTORY_BYTES) {
    throw invalid(path, `has a directory of ${location.bytes} bytes; the limit is ${MAX_DIRECTORY_BYTES}`);
  }
  const directory = await readRange(file, location.offset, location.bytes, path);
  return explained(path, () => parseDirectory(directory, location));
}

async function readEntry(from: {
  file: FileHandle;
  path: string;
  name: string;
  entry: ZipEntry | undefined;
  end: number;
}): Promise<Buffer> {
  const { file, path, name, entry, end } = from;
  if (entry === undefined) throw invalid(path, `has no entry ${JSON.stringify(name)}`);
  const header = await readRange(file, entry.offset, LOCAL_HEADER_BYTES, path);
  const start = entry.offset + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (header.readUInt32LE(0) !== 0x04034b50 || start + entry.compressedSize > end) {
    throw invalid(path, `is damaged: the entry ${JSON.stringify(name)} is not where the directory says`);
  }
  checkSizes(entry, path);
  const stored = await readRange(file, start, entry.compressedSize, path);
  const data = entry.method === STORED ? stored : inflate(stored, entry, path);
  if (data.length !== entry.size || crc32(data) !== entry.crc) {
    throw invalid(path, `is damaged: the content of ${JSON.stringify(name)} does not match its CRC`);
  }
  return data;
}

function checkSizes({ name, method, size, compressedSize }: ZipEntry, path: string): void {
  if (method !== STORED && method !== DEFLATED) {
    throw invalid(
      path,
      `has the entry ${JSON.stringify(name)} in compression method ${method}; stored and deflate can be read`,
    );
  }
  if (method === STORED && size !== compressedSize)
    throw invalid(path, `is damaged: the entry ${JSON.stringify(name)} has two sizes`);
}

function inflate(stored: Buffer, entry: ZipEntry, path: string): Buffer {
  try {
    return inflateRawSync(stored, { maxOutputLength: Math.max(1, entry.size) });
  } catch (cause) {
    throw invalid(
      path,
      `is damaged: the entry ${JSON.stringify(entry.name)} does not inflate to its ${entry.size} bytes`,
      cause,
    );
  }
}

async function readRange(file: FileHandle, position: number, length: number, path: string): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), position + done);
    if (bytesRead === 0) throw invalid(path, 'ended while it was read');
    done += bytesRead;
  }
  return bytes;
}

function explained<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw invalid(path, cause instanceof Error ? cause.message : 'is damaged', cause);
  }
}

function invalid(path: string, problem: string, cause?: unknown): CheckpointError {
  return new CheckpointError('invalid_file', path, problem, cause === undefined ? {} : { cause });
}

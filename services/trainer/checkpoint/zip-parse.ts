import type { ZipEntry } from './zip-format.ts';
import { DEFLATED, END_BYTES, LOCAL_HEADER_BYTES } from './zip-format.ts';

/** torch.save does not compress; compressed entries larger than this are more likely a bomb than a checkpoint. */
const MAX_INFLATED_BYTES = 2 ** 30;

/** Where the central directory lies, from the end of the file. */
export interface DirectoryLocation {
  readonly count: number;
  readonly offset: number;
  readonly bytes: number;
}

/** What a reader must fetch to find the directory: at most a comment of 64 KiB and the three end records. */
export const TAIL_BYTES = 65_535 + 22 + 20 + 56;

/**
 * Finds the central directory in the last bytes of a file of `fileSize` bytes.
 * @throws Error with what is wrong, to follow the file's name.
 */
export function parseEnd(tail: Buffer, fileSize: number): DirectoryLocation {
  const at = tail.lastIndexOf('PK\x05\x06', tail.length - END_BYTES, 'latin1');
  if (at < 0) throw new Error('is not a ZIP file: it has no end record, or was cut off');
  const narrow = {
    count: tail.readUInt16LE(at + 10),
    bytes: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
  const location = parseEnd64(tail, at - 20, fileSize) ?? narrow;
  if (location.offset + location.bytes > fileSize) throw new Error('is cut off: its directory lies beyond its end');
  return location;
}

function parseEnd64(tail: Buffer, locatorAt: number, fileSize: number): DirectoryLocation | undefined {
  if (locatorAt < 0 || tail.toString('latin1', locatorAt, locatorAt + 4) !== 'PK\x06\x07') return undefined;
  const at = safeInteger(tail.readBigUInt64LE(locatorAt + 8)) - (fileSize - tail.length);
  if (at < 0 || at + 56 > tail.length || tail.toString('latin1', at, at + 4) !== 'PK\x06\x06') {
    throw new Error('has a damaged ZIP64 end record');
  }
  const read = (offset: number) => safeInteger(tail.readBigUInt64LE(at + offset));
  return { count: read(32), bytes: read(40), offset: read(48) };
}

/**
 * The entries of a central directory, by name. Names are unique and what the entries say lies before the directory.
 * @throws Error with what is wrong, to follow the file's name.
 */
export function parseDirectory(directory: Buffer, location: DirectoryLocation): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < location.count; i++) {
    const { entry, next } = parseCentral(directory, at);
    if (entries.has(entry.name)) throw new Error(`has two entries named ${JSON.stringify(entry.name)}`);
    if (entry.offset + LOCAL_HEADER_BYTES + entry.compressedSize > location.offset) {
      throw new Error(`is damaged: the entry ${JSON.stringify(entry.name)} reaches into the directory`);
    }
    entries.set(entry.name, entry);
    at = next;
  }
  refuseBomb([...entries.values()], location);
  return entries;
}

/** Entries that share their bytes, or inflate to more than any checkpoint's, make gigabytes of a small file. */
function refuseBomb(entries: readonly ZipEntry[], location: DirectoryLocation): void {
  const held = entries.reduce((sum, { compressedSize }) => sum + compressedSize, 0);
  if (held > location.offset) throw new Error('is damaged: its entries overlap');
  const inflated = entries.filter(({ method }) => method === DEFLATED).reduce((sum, { size }) => sum + size, 0);
  if (inflated > MAX_INFLATED_BYTES) {
    throw new Error(`has compressed entries of ${inflated} bytes in all; the limit is ${MAX_INFLATED_BYTES}`);
  }
}

function parseCentral(directory: Buffer, at: number): { entry: ZipEntry; next: number } {
  if (at + 46 > directory.length || directory.readUInt32LE(at) !== 0x02014b50)
    throw new Error('has a damaged directory');
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => directory.readUInt16LE(at + field)) as [
    number,
    number,
    number,
  ];
  const next = at + 46 + nameBytes + extraBytes + commentBytes;
  if (next > directory.length) throw new Error('has a damaged directory');
  const name = directory.toString('utf8', at + 46, at + 46 + nameBytes);
  refuseOddEntry(name, directory.readUInt8(at + 5) === UNIX ? directory.readUInt32LE(at + 38) >>> 16 : 0);
  if (directory.readUInt16LE(at + 8) & 1) throw new Error(`has the encrypted entry ${JSON.stringify(name)}`);

  const wide = zip64Values(directory.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes));
  const field = (offset: number) => {
    const value = directory.readUInt32LE(at + offset);
    return value === 0xffffffff ? (wide.shift() ?? value) : value;
  };
  // The 64-bit values come in this order, each only when its 32-bit field is full.
  const size = field(24);
  const compressedSize = field(20);
  const offset = field(42);
  return {
    entry: {
      name,
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      compressedSize,
      size,
      offset,
    },
    next,
  };
}

const UNIX = 3;
const FILE_TYPE = 0o170000;
const SYMBOLIC_LINK = 0o120000;

/** Nothing is ever unpacked to disk; a name that would lead out of there is a sign of what the file was made for. */
function refuseOddEntry(name: string, mode: number): void {
  if ((mode & FILE_TYPE) === SYMBOLIC_LINK) throw new Error(`has the symbolic link ${JSON.stringify(name)}`);
  if (/^[/\\]|^[A-Za-z]:|\\|\0|(^|\/)\.\.?(\/|$)/.test(name)) {
    throw new Error(`has an entry with the name ${JSON.stringify(name)}, which leads elsewhere`);
  }
}

function zip64Values(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length; ) {
    const [id, bytes] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)];
    if (id === 1) {
      const values = extra.subarray(at + 4, at + 4 + bytes);
      return Array.from({ length: Math.floor(values.length / 8) }, (_, i) =>
        safeInteger(values.readBigUInt64LE(8 * i)),
      );
    }
    at += 4 + bytes;
  }
  return [];
}

function safeInteger(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error('has a damaged directory: an offset is beyond 2^53');
  return Number(value);
}

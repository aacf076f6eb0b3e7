/**
 * The records of a ZIP file (PKWARE APPNOTE 6.3.10) as torch.save writes them: entries STORED, a ZIP64 end record always, 64-bit fields of
 * an entry only where 32 bits are too few. Pure; reading and writing files is in `zip-writer.ts` and `zip-reader.ts`.
 */
export const LOCAL_HEADER_BYTES = 30;
export const STORED = 0;
export const DEFLATED = 8;

const LOCAL_SIGNATURE = 0x04034b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const ZIP64_EXTRA = 0x0001;
const PADDING_EXTRA = 0x4246;
const MAX_16 = 0xffff;
const MAX_32 = 0xffffffff;
/** 1 January 1980, so that the same content gives the same bytes. */
const DOS_DATE = 0x0021;
const UTF8_NAMES = 0x0800;

export const END_BYTES = 22;
const LOCATOR64_BYTES = 20;
const END64_BYTES = 56;
const CENTRAL_BYTES = 46;

export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Where its local header begins. */
  readonly offset: number;
}

/** Local header of a STORED entry at `offset`, padded so that its data begins at a multiple of 64 bytes. */
export function encodeLocalHeader(entry: ZipEntry): Buffer {
  const name = Buffer.from(entry.name);
  const extra64 = entry.size >= MAX_32 ? zip64Extra([entry.size, entry.compressedSize]) : Buffer.alloc(0);
  const unpadded = entry.offset + LOCAL_HEADER_BYTES + name.length + extra64.length + 4;
  const padding = Buffer.alloc(4 + ((64 - (unpadded % 64)) % 64));
  padding.writeUInt16LE(PADDING_EXTRA, 0);
  padding.writeUInt16LE(padding.length - 4, 2);

  const header = Buffer.alloc(LOCAL_HEADER_BYTES);
  header.writeUInt32LE(LOCAL_SIGNATURE, 0);
  header.writeUInt16LE(extra64.length > 0 ? 45 : 20, 4);
  header.writeUInt16LE(UTF8_NAMES, 6);
  header.writeUInt16LE(entry.method, 8);
  header.writeUInt16LE(DOS_DATE, 12);
  header.writeUInt32LE(entry.crc, 14);
  header.writeUInt32LE(Math.min(entry.compressedSize, MAX_32), 18);
  header.writeUInt32LE(Math.min(entry.size, MAX_32), 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra64.length + padding.length, 28);
  return Buffer.concat([header, name, extra64, padding]);
}

/** Central directory and end records, to be written at `offset`, after the last entry. */
export function encodeDirectory(entries: readonly ZipEntry[], offset: number): Buffer {
  const directory = Buffer.concat(entries.map(encodeCentral));
  return Buffer.concat([directory, ...encodeEnd(entries.length, directory.length, offset)]);
}

function encodeCentral(entry: ZipEntry): Buffer {
  const name = Buffer.from(entry.name);
  const wide = [entry.size, entry.compressedSize, entry.offset].filter((value) => value >= MAX_32);
  const extra = wide.length > 0 ? zip64Extra(wide) : Buffer.alloc(0);
  const header = Buffer.alloc(CENTRAL_BYTES);
  header.writeUInt32LE(CENTRAL_SIGNATURE, 0);
  header.writeUInt16LE(45, 4);
  header.writeUInt16LE(extra.length > 0 ? 45 : 20, 6);
  header.writeUInt16LE(UTF8_NAMES, 8);
  header.writeUInt16LE(entry.method, 10);
  header.writeUInt16LE(DOS_DATE, 14);
  header.writeUInt32LE(entry.crc, 16);
  header.writeUInt32LE(Math.min(entry.compressedSize, MAX_32), 20);
  header.writeUInt32LE(Math.min(entry.size, MAX_32), 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(Math.min(entry.offset, MAX_32), 42);
  return Buffer.concat([header, name, extra]);
}

function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(ZIP64_EXTRA, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  for (const [i, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  return extra;
}

function encodeEnd(count: number, bytes: number, offset: number): Buffer[] {
  const end64 = Buffer.alloc(END64_BYTES);
  end64.writeUInt32LE(END64_SIGNATURE, 0);
  end64.writeBigUInt64LE(BigInt(END64_BYTES - 12), 4);
  end64.writeUInt16LE(45, 12);
  end64.writeUInt16LE(45, 14);
  for (const [at, value] of [
    [24, count],
    [32, count],
    [40, bytes],
    [48, offset],
  ] as const)
    end64.writeBigUInt64LE(BigInt(value), at);

  const locator = Buffer.alloc(LOCATOR64_BYTES);
  locator.writeUInt32LE(LOCATOR64_SIGNATURE, 0);
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);

  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(END_SIGNATURE, 0);
  end.writeUInt16LE(Math.min(count, MAX_16), 8);
  end.writeUInt16LE(Math.min(count, MAX_16), 10);
  end.writeUInt32LE(Math.min(bytes, MAX_32), 12);
  end.writeUInt32LE(Math.min(offset, MAX_32), 16);
  return [end64, locator, end];
}

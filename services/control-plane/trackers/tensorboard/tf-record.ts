/* TFRecord framing: `u64le length, u32le masked crc32c(length), data, u32le masked crc32c(data)`. TensorFlow, core/lib/io/record_writer.h. */

const HEADER = 12;
const FOOTER = 4;
const MASK_DELTA = 0xa282ead8;

const table = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** CRC-32C (Castagnoli), rotated and shifted so that a sum of data that holds sums is no weaker. */
export function maskedCrc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (table[(sum ^ byte) & 0xff] as number) ^ (sum >>> 8);
  const crc = ~sum >>> 0;
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}

/** One record as it lies in a file. */
export function frame(data: Uint8Array): Buffer {
  const framed = Buffer.alloc(HEADER + data.length + FOOTER);
  framed.writeBigUInt64LE(BigInt(data.length), 0);
  framed.writeUInt32LE(maskedCrc32c(framed.subarray(0, 8)), 8);
  framed.set(data, HEADER);
  framed.writeUInt32LE(maskedCrc32c(data), HEADER + data.length);
  return framed;
}

/** The whole records that a file begins with; what follows `end` is half a record, or damage. */
export function unframe(bytes: Buffer): { records: { data: Buffer; end: number }[]; end: number } {
  const records: { data: Buffer; end: number }[] = [];
  let at = 0;
  while (at + HEADER <= bytes.length) {
    const start = at + HEADER;
    const length = bytes.readBigUInt64LE(at);
    if (bytes.readUInt32LE(at + 8) !== maskedCrc32c(bytes.subarray(at, at + 8))) break;
    if (length > BigInt(bytes.length - start - FOOTER)) break;
    const end = start + Number(length);
    const data = bytes.subarray(start, end);
    if (bytes.readUInt32LE(end) !== maskedCrc32c(data)) break;
    at = end + FOOTER;
    records.push({ data, end: at });
  }
  return { records, end: at };
}

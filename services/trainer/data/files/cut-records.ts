/** A stretch of a file that holds one record, and white space or a separator before it. */
export interface Piece {
  /** Of its first byte in the file. */
  readonly start: number;
  /** Newlines before it. */
  readonly lines: number;
  readonly bytes: Buffer;
  /** Whether the file ended here, not the record. */
  readonly isLast: boolean;
}

/**
 * Finds the end of the record that `bytes` begins with: the index after its last byte, or -1 when more bytes are needed. Called with growing `bytes` until it
 * finds one; `from` is where the last call stopped looking.
 */
export type FindEnd = (bytes: Buffer, from: number) => number;

/** A record longer than this is no training example but a wrong file. */
export const MAX_RECORD_BYTES = 16 << 20;

/**
 * Divides a file into its records; what is left at its end is the last piece, which may be empty.
 * @param onTooLong what to throw when a record does not end within `MAX_RECORD_BYTES`
 */
export async function* cutRecords(
  chunks: AsyncIterable<Buffer>,
  findEnd: FindEnd,
  onTooLong: (line: number) => Error,
): AsyncGenerator<Piece> {
  let [start, lines, looked] = [0, 0, 0];
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = findEnd(bytes, looked); end >= 0; end = findEnd(bytes, 0)) {
      const piece = bytes.subarray(0, end);
      yield { start, lines, bytes: piece, isLast: false };
      start += end;
      lines += countNewlines(piece);
      bytes = bytes.subarray(end);
    }
    looked = bytes.length;
    if (bytes.length > MAX_RECORD_BYTES) throw onTooLong(lines + 1);
    // Chunks share memory with the stream's buffer, which a long rest would keep alive.
    rest = Buffer.from(bytes);
  }
  yield { start, lines, bytes: rest, isLast: true };
}

export function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}

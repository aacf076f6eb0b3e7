import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { boundOutput, type OutputLimits } from '../../bounded-output.ts';
import type { LogFrame } from './demultiplex.ts';
import { BEGINNING, type LogCursor, writeCursor } from './log-cursor.ts';

/** Lines of the two streams may be in the log in another order than they were printed, but not by so much. */
const SETTLED_MS = 1000;
const CURSOR_MS = 5000;
const CHECK_BYTES = 1 << 20;
/** `2026-01-31T10:20:30.123456789`, before the zone. */
const STAMP = 29;
const Z = 0x5a;
const SPACE = 0x20;

export interface CopyLog {
  /** What the container printed at this time or later, with timestamps. */
  read: (since: string | undefined) => AsyncIterable<readonly LogFrame[]>;
  path: string;
  cursor: LogCursor;
  limits: OutputLimits;
  /** Milliseconds that only grow. */
  now: () => number;
}

/**
 * Copies a log into a file, from the cursor on, without the timestamps. Nothing is lost or doubled by starting again from any cursor that it wrote: what
 * was copied after it comes again, and is written to the same place. For that a cursor is only ever put where everything before was printed earlier and
 * everything behind was not: Docker filters by time, and its log is not quite in order.
 * @returns bytes of the file that are the log; null when nothing came
 */
export async function copyLog({ read, path, cursor: known, limits, now }: CopyLog): Promise<number | null> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    const cursor = (await file.stat()).size < known.bytes ? BEGINNING : known;
    const places = createPlaces(cursor, now);
    let offset = cursor.bytes;
    let unchecked = 0;
    let came = false;
    for await (const frames of read(cursor.since ?? undefined)) {
      came = true;
      const pieces: Buffer[] = [];
      let at = offset;
      for (const { payload } of frames) {
        const text = textOf(payload);
        places.note(payload.toString('latin1', 0, payload.length - text.length), at);
        pieces.push(text);
        at += text.length;
      }
      await writeAll(file, Buffer.concat(pieces, at - offset), offset);
      unchecked += at - offset;
      offset = at;
      if (unchecked >= CHECK_BYTES) {
        unchecked = 0;
        await boundOutput(path, limits);
        const { size } = await file.stat();
        // Its file system cannot free the middle, so the file was cut: places in it are others now.
        if (size < offset) {
          offset = size;
          places.forget();
        }
      }
      const next = places.next();
      if (next !== null) await writeCursor(path, next);
    }
    return came ? offset : null;
  } finally {
    await file.close();
  }
}

/** Finds where a cursor may stand. */
function createPlaces(first: LogCursor, now: () => number) {
  let written = first;
  let newest = '';
  let candidate: (LogCursor & { since: string; noticed: number }) | null = null;
  let due: LogCursor | null = null;
  let writtenAt = now();
  return {
    /** A piece that begins at `bytes` of the file; `time` is its timestamp. */
    note: (time: string, bytes: number): void => {
      const stamp = time.slice(0, STAMP);
      if (stamp > newest) {
        newest = stamp;
        candidate ??= { since: time.trimEnd(), bytes, noticed: now() };
        return;
      }
      if (candidate !== null && stamp < candidate.since.slice(0, STAMP)) candidate = null;
      // The clock was set back: no time separates what comes from what was before.
      if (written.since !== null && stamp < written.since.slice(0, STAMP)) due = BEGINNING;
    },
    forget: (): void => {
      candidate = null;
      due = BEGINNING;
    },
    /** The cursor to write now, if any. */
    next: (): LogCursor | null => {
      const settled = candidate !== null && now() - candidate.noticed >= SETTLED_MS;
      if (due === null && settled && candidate !== null && now() - writtenAt >= CURSOR_MS) {
        due = { since: candidate.since, bytes: candidate.bytes };
        candidate = null;
      }
      if (due === null) return null;
      [written, due, writtenAt] = [due, null, now()];
      return written;
    },
  };
}

/** Without its timestamp, which ends with a zone and a space. */
function textOf(payload: Buffer): Buffer {
  const end = payload[STAMP] === Z ? STAMP + 1 : STAMP + '+00:00'.length;
  if (payload[end] !== SPACE)
    throw new Error(`the log has a line without a timestamp: ${payload.toString('utf8', 0, 60)}`);
  return payload.subarray(end + 1);
}

async function writeAll(file: FileHandle, data: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await file.write(data, done, data.length - done, offset + done);
    done += bytesWritten;
  }
}

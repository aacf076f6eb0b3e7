import { closeSync, fdatasync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { RecordBody, TrainerRecord } from '../../contracts/record.ts';
import { storageFault } from '../../platform/storage-error.ts';

/** Where to read on: the next record's number and the byte where its line begins. */
export interface SpoolCursor {
  readonly n: number;
  readonly offset: number;
}

/**
 * The records of one attempt, numbered from 1, one JSON line each. A line is in the file as soon as it is appended, so it survives
 * the process; it is synced to disk at least every second. While the disk is full, what it does not take is held in memory, can be read
 * as ever, and is written once there is space.
 */
export interface RecordSpool {
  /** Number of the last record; 0 when there is none. */
  readonly high: number;
  /** Called after each append. */
  onAppend(listener: () => void): void;
  /** @throws the error of the disk when it has been full for so long that `heldBytes` are held already. */
  append(bodies: readonly RecordBody[]): void;
  /** Complete lines from the cursor on, up to about `maxBytes` but at least one if there is one. */
  read(from: SpoolCursor, maxBytes: number, maxRecords: number): { readonly lines: string; readonly next: SpoolCursor };
  /** Where record `n` begins. */
  find(n: number): SpoolCursor;
  close(): void;
}

const SYNC_EVERY_MS = 1000;
const READ_BYTES = 1 << 20;
/** Days of records of a busy run, and little beside its weights. */
const HELD_BYTES = 64 << 20;
const NEWLINE = 10;
const syncData = promisify(fdatasync);

export const SPOOL_START: SpoolCursor = { n: 1, offset: 0 };

/**
 * Opens or creates the spool. A half line that a crash left at the end is cut off, and numbering goes on after the last whole one.
 *
 * @param write appends to the file and says how many bytes it took
 */
export function openRecordSpool(params: {
  readonly path: string;
  readonly now: () => number;
  readonly write?: (file: number, bytes: Buffer, from: number) => number;
  readonly heldBytes?: number;
}): RecordSpool {
  const { write = (handle, bytes, from) => writeSync(handle, bytes, from), heldBytes = HELD_BYTES } = params;
  const file = openSync(params.path, 'a+', 0o600);
  let { high, size: written } = recover(file);
  /** What the disk has not taken yet; it follows on the last byte of the file, which may be in the middle of a line. */
  let held = Buffer.alloc(0);
  let dirty = false;
  let syncing = Promise.resolve();
  const listeners: (() => void)[] = [];
  const timer = setInterval(() => {
    try {
      writeHeld(Number.POSITIVE_INFINITY);
    } catch {
      // A disk that is broken otherwise is told by the next append, to one who can act on it.
    }
    if (!dirty) return;
    dirty = false;
    syncing = syncing
      .then(() => syncData(file))
      .catch(() => {
        dirty = true;
      });
  }, SYNC_EVERY_MS);
  timer.unref();

  function append(bodies: readonly RecordBody[]): void {
    if (bodies.length === 0) return;
    const time = new Date(params.now()).toISOString();
    const wasHolding = held.length > 0;
    addLines(bodies, time);
    writeHeld(heldBytes);
    if (!wasHolding && held.length > 0) {
      const message = 'The disk of the workspace is full: records are held in memory until there is space; free some';
      addLines([{ kind: 'log', component: 'training', level: 'WARNING', message }], time);
    }
    for (const listener of listeners) listener();
  }

  function addLines(bodies: readonly RecordBody[], time: string): void {
    let text = '';
    for (const body of bodies) {
      high += 1;
      text += `${JSON.stringify({ n: high, time, ...body } satisfies TrainerRecord)}\n`;
    }
    held = held.length === 0 ? Buffer.from(text) : Buffer.concat([held, Buffer.from(text)]);
  }

  /** Hands over what is held, as far as the disk takes it. Throws when it takes so little that more than `limit` bytes stay behind. */
  function writeHeld(limit: number): void {
    let taken = 0;
    try {
      while (taken < held.length) taken += write(file, held, taken);
    } catch (error) {
      if (storageFault(error)?.kind !== 'full' || held.length - taken > limit) throw error;
    } finally {
      if (taken > 0) dirty = true;
      written += taken;
      held = held.subarray(taken);
    }
  }

  function readRange(offset: number, length: number): Buffer {
    const fromFile = readFileRange(file, offset, Math.max(0, Math.min(length, written - offset)));
    if (fromFile.length === length) return fromFile;
    const start = Math.max(0, offset - written);
    return Buffer.concat([fromFile, held.subarray(start, start + length - fromFile.length)]);
  }

  function read(from: SpoolCursor, maxBytes: number, maxRecords: number) {
    const size = written + held.length;
    for (let bytes = maxBytes; ; bytes *= 2) {
      const chunk = readRange(from.offset, Math.min(bytes, size - from.offset));
      const { end, count } = wholeLines(chunk, maxRecords);
      if (count > 0 || from.offset + chunk.length >= size) {
        const next = { n: from.n + count, offset: from.offset + end };
        return { lines: chunk.toString('utf8', 0, end), next };
      }
    }
  }

  return {
    get high() {
      return high;
    },
    onAppend: (listener) => listeners.push(listener),
    append,
    read,
    find(n) {
      let at = SPOOL_START;
      while (at.n < n) {
        const { next } = read(at, READ_BYTES, n - at.n);
        if (next.n === at.n) return at;
        at = next;
      }
      return at;
    },
    close() {
      clearInterval(timer);
      writeHeld(Number.POSITIVE_INFINITY);
      fdatasyncSync(file);
      closeSync(file);
    },
  };
}

function recover(file: number): { high: number; size: number } {
  const { size } = fstatSync(file);
  let at = SPOOL_START;
  while (at.offset < size) {
    const chunk = readFileRange(file, at.offset, Math.min(READ_BYTES, size - at.offset));
    const { end, count } = wholeLines(chunk, Number.POSITIVE_INFINITY);
    if (count === 0 && at.offset + chunk.length >= size) break;
    if (count === 0) throw new Error(`${READ_BYTES} bytes of the record spool hold no line end: the file is damaged`);
    at = { n: at.n + count, offset: at.offset + end };
  }
  if (at.offset < size) ftruncateSync(file, at.offset);
  return { high: at.n - 1, size: at.offset };
}

function readFileRange(file: number, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const got = readSync(file, buffer, filled, length - filled, offset + filled);
    if (got === 0) break;
    filled += got;
  }
  return buffer.subarray(0, filled);
}

function wholeLines(chunk: Buffer, maxRecords: number): { end: number; count: number } {
  let end = 0;
  let count = 0;
  while (count < maxRecords) {
    const newline = chunk.indexOf(NEWLINE, end);
    if (newline < 0) break;
    end = newline + 1;
    count += 1;
  }
  return { end, count };
}

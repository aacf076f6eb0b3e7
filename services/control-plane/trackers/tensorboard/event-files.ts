import { open, readdir, readFile, stat, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { makeDirectory } from '../../../platform/atomic-file.ts';
import { formatCursor, parseCursor } from '../../records/cursor.ts';
import type { Cursor } from '../../records/record-types.ts';
import type { CleanAxis } from '../clean-axis.ts';
import type { ShownSteps } from './board-values.ts';
import { type BoardEvent, decodeEvent, type EventValue, encodeEvent } from './event-proto.ts';
import { frame, unframe } from './tf-record.ts';

/** Under which assumptions an event file was written; its first event carries it. */
export interface EventFileHead {
  axis: CleanAxis;
  /** Everything on the axis up to here was shown before, by earlier files. */
  from: Cursor;
  /** Records up to `from` are repeated where their step is this one or later; null: none are. */
  purge: number | null;
  /** For each tag the last step of earlier files that still counts. */
  shown: Record<string, number>;
  lastStep: number;
}

/** An event file as far as it is whole. */
export interface EventFile {
  path: string;
  head: EventFileHead;
  /** Last record that is in it, or was passed over when it was begun. */
  cursor: Cursor;
  shown: ShownSteps;
  lastStep: number;
  /** The end of the session is the last thing in it. */
  ended: boolean;
  /** Bytes of its head. */
  headEnd: number;
  /** Bytes that are whole; what follows is half an event. */
  end: number;
}

export interface EventFileNames {
  /** Oldest first. */
  own: string[];
  foreign: string[];
}

const END = 'end:';
const headSchema = z.object({
  axis: z.array(z.object({ attempt: z.int(), upTo: z.int() })),
  from: z.object({ attempt: z.int(), n: z.int() }),
  purge: z.int().nullable(),
  shown: z.record(z.string(), z.int()),
  lastStep: z.int(),
});

/** `events.out.tfevents.<unix seconds>.<run>.<number>`: readers take files for event files, and order them, by their names. */
export function eventFileName(run: string, seconds: number, number: number): string {
  return `events.out.tfevents.${String(Math.floor(seconds)).padStart(10, '0')}.${run}.${String(number).padStart(6, '0')}`;
}

/** The part of a name that says when the file was begun, and its number. */
export function parseEventFileName(name: string): { run: string; seconds: number; number: number } | null {
  const match = /^events\.out\.tfevents\.(\d{10,})\.([^.]+)\.(\d{6,})$/.exec(name);
  return match === null ? null : { seconds: Number(match[1]), run: match[2] as string, number: Number(match[3]) };
}

/** The event files in a directory; a missing one is empty. */
export async function listEventFiles(directory: string, run: string): Promise<EventFileNames> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter((name) => name.includes('tfevents'));
  const isOwn = (name: string) => parseEventFileName(name)?.run === run;
  return { own: files.filter(isOwn).sort(), foreign: files.filter((name) => !isOwn(name)) };
}

/** Null where a kill left less than the beginning of a file. */
export async function readEventFile(path: string): Promise<EventFile | null> {
  let file: EventFile | null = null;
  let begun = false;
  for (const { event, end } of readEvents(await readFile(path))) {
    if (file === null) {
      const head = readHead(path, event.note);
      const shown: ShownSteps = new Map(Object.entries(head.shown));
      file = { path, head, cursor: head.from, shown, lastStep: head.lastStep, ended: false, headEnd: end, end };
    }
    file.ended = event.note?.startsWith(END) ?? false;
    const cursor = cursorOf(event.note);
    file.end = end;
    if (cursor === null) continue;
    file.cursor = cursor;
    if (!begun) {
      file.headEnd = end;
    } else {
      file.lastStep = Math.max(file.lastStep, event.step);
      for (const tag of event.tags) file.shown.set(tag, event.step);
    }
    begun = true;
  }
  return begun ? file : null;
}

/** The lowest step that the file shows anything of that lies behind a cursor; null when it shows nothing of the kind. */
export async function lowestStepAfter(path: string, isBehind: (cursor: Cursor) => boolean): Promise<number | null> {
  const steps = readEvents(await readFile(path)).flatMap(({ event }) => {
    const cursor = cursorOf(event.note);
    return cursor !== null && event.tags.length > 0 && isBehind(cursor) ? [event.step] : [];
  });
  return steps.length === 0 ? null : steps.reduce((lowest, step) => Math.min(lowest, step));
}

/**
 * The events that a file begins with. The last of them notes where the file goes on, so that a file in which it is missing was never begun.
 * `restart` declares void what earlier files show from that step on.
 */
export function headEvents(
  head: EventFileHead,
  options: { cursor: Cursor; restart: number | null; wallTime: number; values: readonly EventValue[] },
): BoardEvent[] {
  const { cursor, restart, wallTime, values } = options;
  const step = restart ?? head.lastStep;
  return [
    { wallTime, step: 0, isFirst: true, note: JSON.stringify(head) },
    ...(restart === null ? [] : [{ wallTime, step, restarts: true }]),
    { wallTime, step, values, note: formatCursor(cursor) },
  ];
}

/** The event that shows the record at a cursor. */
export function recordEvent(event: BoardEvent, cursor: Cursor): BoardEvent {
  return { ...event, note: formatCursor(cursor) };
}

/** The event that ends the session behind the record at a cursor. */
export function endEvent(event: BoardEvent, cursor: Cursor): BoardEvent {
  return { ...event, note: `${END}${formatCursor(cursor)}` };
}

/** Makes the file, or what a kill left of it, one that holds these events. */
export async function beginEventFile(path: string, bytes: Uint8Array): Promise<void> {
  await makeDirectory(dirname(path));
  await write(path, 'w', bytes);
}

export async function appendToEventFile(path: string, bytes: Uint8Array): Promise<void> {
  await write(path, 'a', bytes);
}

/** Cuts off half an event; one that reads the file along has not gone beyond what is whole. */
export async function cutHalfEvent({ path, end }: EventFile): Promise<void> {
  if ((await stat(path)).size > end) await truncate(path, end);
}

export function frameEvent(event: BoardEvent): Buffer {
  return frame(encodeEvent(event));
}

/** @throws Error that names the file and what helps, where another program wrote it or it was changed */
function readHead(path: string, note: string | null): EventFileHead {
  try {
    return headSchema.parse(JSON.parse(note ?? 'null'));
  } catch (cause) {
    throw new Error(
      `${path} does not begin as this control plane writes event files; move it away, and what it showed is written again.`,
      { cause },
    );
  }
}

function readEvents(bytes: Buffer) {
  return unframe(bytes).records.map(({ data, end }) => ({ event: decodeEvent(data), end }));
}

function cursorOf(note: string | null): Cursor | null {
  return note === null ? null : parseCursor(note.startsWith(END) ? note.slice(END.length) : note);
}

async function write(path: string, flag: 'w' | 'a', bytes: Uint8Array): Promise<void> {
  const file = await open(path, flag, 0o644);
  try {
    await file.writeFile(bytes);
  } finally {
    await file.close();
  }
}

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cursor } from '../../records/record-types.ts';
import { isAfter } from '../clean-axis.ts';
import {
  appendToEventFile,
  beginEventFile,
  cutHalfEvent,
  type EventFile,
  eventFileName,
  frameEvent,
  headEvents,
  listEventFiles,
  lowestStepAfter,
  parseEventFileName,
  readEventFile,
} from './event-files.ts';
import type { EventValue } from './event-proto.ts';
import type { FilePlan } from './plan-file.ts';

/** The event files of one run in one directory, of which the last is written to. */
export interface EventLog {
  /** The one that is written to; null when there is none. What it says holds until the next call that writes. */
  last: EventFile | null;
  /** Begins another file, as planned, with `values` at its head. */
  begin(plan: FilePlan, wallTime: number, values: readonly EventValue[]): Promise<void>;
  /** Appends events behind the last one, which leads to this state of the file. After an error: open again. */
  append(events: readonly Buffer[], state: Pick<EventFile, 'cursor' | 'shown' | 'lastStep' | 'ended'>): Promise<void>;
  /** The lowest step of what is shown behind a position; null when nothing is. */
  lowestStepAfter(cursor: Cursor): Promise<number | null>;
}

/** The newest file that was begun; null for none. Changes nothing. */
export async function readLastFile(directory: string, run: string): Promise<EventFile | null> {
  const { own } = await listEventFiles(directory, run);
  for (const name of own.reverse()) {
    const file = await readEventFile(join(directory, name));
    if (file !== null) return file;
  }
  return null;
}

/**
 * Opens the files, which must be the only ones of their directory: what lies in one is one run to TensorBoard. What a kill left is repaired: half an event is cut
 * off; a file that was hardly begun is begun again under the same name, for a reader that follows it already.
 */
export async function openEventLog(directory: string, run: string): Promise<EventLog> {
  const { own, foreign } = await listEventFiles(directory, run);
  if (foreign[0] !== undefined) {
    throw new Error(
      `${directory} holds event files of another run (${foreign[0]}); move them away or choose another monitoring.tensorboard_log_dir.`,
    );
  }
  let last = await readLastFile(directory, run);
  const [unbegun, ...others] = own
    .map((name) => join(directory, name))
    .filter((path) => last === null || path > last.path);
  for (const path of others) await rm(path);
  if (last !== null) await cutHalfEvent(last);
  let unbegunPath = unbegun ?? null;

  return {
    get last() {
      return last;
    },
    async begin({ head, cursor, restart }, wallTime, values) {
      const before = last === null ? null : parseEventFileName(last.path.slice(directory.length + 1));
      const seconds = Math.max(wallTime, before?.seconds ?? 0);
      const path = unbegunPath ?? join(directory, eventFileName(run, seconds, (before?.number ?? 0) + 1));
      const bytes = Buffer.concat(headEvents(head, { cursor, restart, wallTime, values }).map(frameEvent));
      unbegunPath = path;
      await beginEventFile(path, bytes);
      unbegunPath = null;
      const shown = new Map(Object.entries(head.shown));
      last = {
        path,
        head,
        cursor,
        shown,
        lastStep: head.lastStep,
        ended: false,
        headEnd: bytes.length,
        end: bytes.length,
      };
    },
    async append(events, state) {
      if (last === null) throw new Error('There is no event file to append to.');
      const bytes = Buffer.concat(events);
      await appendToEventFile(last.path, bytes);
      last = { ...last, ...state, end: last.end + bytes.length };
    },
    async lowestStepAfter(cursor) {
      const steps: number[] = [];
      const { own: names } = await listEventFiles(directory, run);
      for (const name of names.reverse()) {
        const path = join(directory, name);
        const file = await readEventFile(path);
        const step = await lowestStepAfter(path, (position) => isAfter(position, cursor));
        if (step !== null) steps.push(step);
        if (file !== null && !isAfter(file.head.from, cursor)) break;
      }
      return steps.length === 0 ? null : Math.min(...steps);
    },
  };
}

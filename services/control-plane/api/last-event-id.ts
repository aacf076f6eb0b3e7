import { parseCursor } from '../records/cursor.ts';
import type { Cursor } from '../records/record-types.ts';
import { ProblemError } from './problem-error.ts';

/** The record a `Last-Event-ID` of a stream of records names. */
export function cursorOf(lastEventId: string | undefined): Cursor | undefined {
  if (lastEventId === undefined) return undefined;
  const cursor = parseCursor(lastEventId);
  if (cursor === null) throw badLastEventId('<attempt>:<n>');
  return cursor;
}

/** The event a `Last-Event-ID` of a stream of events names. */
export function eventIdOf(lastEventId: string | undefined): number | undefined {
  if (lastEventId === undefined) return undefined;
  if (!/^\d{1,15}$/.test(lastEventId)) throw badLastEventId('a number');
  return Number(lastEventId);
}

function badLastEventId(form: string): ProblemError {
  return new ProblemError(
    'invalid-request',
    `headers.last-event-id: is not an id of this stream, which is ${form}; leave it out.`,
  );
}

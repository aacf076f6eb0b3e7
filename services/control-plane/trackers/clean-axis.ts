import { START } from '../records/cursor.ts';
import { recordBounds } from '../records/record-lineage.ts';
import type { Cursor, RecordEntry, ResumePoint } from '../records/record-types.ts';

/** The records of one attempt that count: those up to `upTo`. */
export interface AxisPart {
  attempt: number;
  upTo: number;
}

/** Which records of a run count, oldest first: the lineage of its newest attempt. Positions on it are ordered as cursors are. */
export type CleanAxis = readonly AxisPart[];

/** The clean axis that follows from what each attempt resumed from. */
export function cleanAxis(points: readonly ResumePoint[]): CleanAxis {
  const edges = points.map(({ attempt, resumedFromAttempt, record }) => ({
    attempt,
    parent: resumedFromAttempt,
    parent_record: record,
  }));
  return [...recordBounds(edges)]
    .map(([attempt, upTo]) => ({ attempt, upTo }))
    .filter(({ attempt, upTo }) => attempt > 0 && upTo > 0)
    .sort((a, b) => a.attempt - b.attempt);
}

export function isOnAxis(axis: CleanAxis, { attempt, record }: RecordEntry): boolean {
  return axis.some((part) => part.attempt === attempt && record.n <= part.upTo);
}

export function isAfter(a: Cursor, b: Cursor): boolean {
  return a.attempt > b.attempt || (a.attempt === b.attempt && a.n > b.n);
}

export function isSameAxis(a: CleanAxis, b: CleanAxis): boolean {
  return a.length === b.length && a.every((part, i) => part.attempt === b[i]?.attempt && part.upTo === b[i]?.upTo);
}

/**
 * How far what was shown, which is `shown` up to `cursor`, is also the beginning of `wanted`. Where that is `cursor` nothing that was shown has
 * become wrong; else what lies behind it has been superseded.
 */
export function sharedUpTo(shown: CleanAxis, cursor: Cursor, wanted: CleanAxis): Cursor {
  let end: Cursor = START;
  for (const [index, { attempt, upTo }] of shown.entries()) {
    if (attempt > cursor.attempt) return cursor;
    const other = wanted[index];
    if (other?.attempt !== attempt) return end;
    const reached = attempt === cursor.attempt ? Math.min(upTo, cursor.n) : upTo;
    end = { attempt, n: Math.min(reached, other.upTo) };
    const goesOn = other.upTo > reached && attempt < cursor.attempt;
    if (other.upTo < reached || goesOn) return end;
  }
  return cursor;
}

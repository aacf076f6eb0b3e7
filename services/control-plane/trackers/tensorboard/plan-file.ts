import { START } from '../../records/cursor.ts';
import type { Cursor } from '../../records/record-types.ts';
import type { CleanAxis } from '../clean-axis.ts';
import { isAfter, sharedUpTo } from '../clean-axis.ts';
import type { EventFile, EventFileHead } from './event-files.ts';

/** What the next event file begins with when the clean axis is another one now, and from where on records are looked at for it. */
export interface FilePlan {
  head: EventFileHead;
  cursor: Cursor;
  /** What earlier files show from this step on is declared void; null: nothing is. */
  restart: number | null;
}

/** The first file of a run. TensorBoard takes the first restart that it sees for a start, which voids nothing: there has to be one. */
export function planFirst(axis: CleanAxis): FilePlan {
  return { head: { axis, from: START, purge: null, shown: {}, lastStep: 0 }, cursor: START, restart: 0 };
}

/** A file that goes on where `last`, which has become large, ends. */
export function planNext({ head, cursor, shown, lastStep }: EventFile): FilePlan {
  return { head: { ...head, shown: Object.fromEntries(shown), lastStep }, cursor, restart: null };
}

/**
 * A file for another axis. Where something that was shown does not count any more, everything from its lowest step on is declared void (TensorBoard
 * drops it, whatever attempt it is of), and what still counts of it is repeated.
 */
export async function planForAxis(
  last: EventFile,
  axis: CleanAxis,
  lowestStepAfter: (cursor: Cursor) => Promise<number | null>,
): Promise<FilePlan> {
  // Half-way through a repetition: what it has not come to is void already.
  const isRepeating = isAfter(last.head.from, last.cursor);
  const reached = isRepeating ? last.head.from : last.cursor;
  const shared = sharedUpTo(last.head.axis, reached, axis);
  const wrong = isAfter(reached, shared) ? await lowestStepAfter(shared) : null;
  const steps = [wrong, isRepeating ? last.head.purge : null].filter((step) => step !== null);
  if (steps.length === 0) {
    const { shown, lastStep } = last;
    const head = { axis, from: shared, purge: null, shown: Object.fromEntries(shown), lastStep };
    return { head, cursor: shared, restart: null };
  }
  const purge = Math.min(...steps);
  const left = [...last.shown].map(([tag, step]) => [tag, Math.min(step, purge - 1)] as const);
  const shown = Object.fromEntries(left.filter(([, step]) => step >= 0));
  return { head: { axis, from: shared, purge, shown, lastStep: 0 }, cursor: START, restart: purge };
}

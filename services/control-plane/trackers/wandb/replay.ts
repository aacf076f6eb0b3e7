import type { RecordService } from '../../records/record.service.ts';
import type { Cursor, ResumePoint } from '../../records/record-types.ts';
import { isRow, type LastEvaluation, type Row, rowKinds, rowOf } from './history-rows.ts';

const PAGE = 500;

export interface RowPage {
  rows: Row[];
  /** The last evaluation, after each of the rows. */
  evaluated: (LastEvaluation | null)[];
  cursor: Cursor;
  more: boolean;
}

/** The rows that records after a cursor make. */
export async function readRows(
  records: Pick<RecordService, 'since'>,
  run: string,
  from: { cursor: Cursor; evaluated: LastEvaluation | null; attempt?: number },
): Promise<RowPage> {
  const filter = { kinds: rowKinds, ...(from.attempt !== undefined && { attempt: from.attempt }) };
  const { entries, cursor, more } = await records.since(run, from.cursor, { filter, limit: PAGE });
  const page: RowPage = { rows: [], evaluated: [], cursor, more };
  let { evaluated } = from;
  for (const { attempt, record } of entries) {
    if (!isRow(record)) continue;
    page.rows.push(rowOf(attempt, record, evaluated));
    if (record.kind === 'evaluation') evaluated = { attempt, step: record.evaluation.step };
    page.evaluated.push(evaluated);
  }
  return page;
}

/** Part of the way to an attempt: the records of an earlier one up to `upTo`. */
export interface Piece {
  attempt: number;
  upTo: number;
}

/** What an attempt goes on from, oldest first, as far back as `shown` attempts reach. */
export function lineageTo(attempt: number, points: readonly ResumePoint[], shown: ReadonlySet<number>): Piece[] {
  const pieces: Piece[] = [];
  let point = points.find((each) => each.attempt === attempt);
  while (point !== undefined && point.resumedFromAttempt !== null && shown.has(point.resumedFromAttempt)) {
    const { resumedFromAttempt, record } = point;
    if (pieces.some((piece) => piece.attempt === resumedFromAttempt)) break;
    pieces.unshift({ attempt: resumedFromAttempt, upTo: record });
    point = points.find((each) => each.attempt === resumedFromAttempt);
  }
  return pieces;
}

/** How many rows those pieces make, and the summary after them. */
export async function replay(
  records: Pick<RecordService, 'since'>,
  run: string,
  pieces: readonly Piece[],
): Promise<{ rows: number; summary: Record<string, unknown> }> {
  let rows = 0;
  const summary: Record<string, unknown> = {};
  for (const { attempt, upTo } of pieces) {
    let from: Parameters<typeof readRows>[2] = { cursor: { attempt, n: 0 }, evaluated: null, attempt };
    for (let more = true; more; ) {
      const page = await readRows(records, run, from);
      const counted = page.rows.filter(({ n }) => n <= upTo);
      for (const row of counted) Object.assign(summary, row.values);
      rows += counted.length;
      more = page.more && counted.length === page.rows.length;
      from = { cursor: page.cursor, evaluated: page.evaluated.at(-1) ?? from.evaluated, attempt };
    }
  }
  return { rows, summary };
}

import type { RecordService } from '../records/record.service.ts';
import type { Cursor, RecordFilter } from '../records/record-types.ts';
import { cleanAxis, isOnAxis } from './clean-axis.ts';

const PAGE = 200;

/**
 * Records of a run behind a position, for `TrackerStatus.backlog`. 0 where none of them is of the wanted kind and counts: what a tracker does not
 * show it is not behind with.
 */
export async function countBacklog(
  records: Pick<RecordService, 'since' | 'files' | 'resumePoints'>,
  run: string,
  cursor: Cursor,
  filter: RecordFilter,
): Promise<number> {
  const axis = cleanAxis(records.resumePoints(run));
  for (let at = cursor; ; ) {
    const page = await records.since(run, at, { filter, limit: PAGE });
    if (page.entries.some((entry) => isOnAxis(axis, entry))) break;
    if (!page.more) return 0;
    at = page.cursor;
  }
  const missing = ({ attempt, high }: { attempt: number; high: number }) =>
    attempt < cursor.attempt ? 0 : Math.max(0, high - (attempt === cursor.attempt ? cursor.n : 0));
  return records.files(run).reduce((sum, file) => sum + missing(file), 0);
}

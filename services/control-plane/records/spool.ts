import type { TrainerRecord } from '../../contracts/record.ts';
import type { Logger } from '../../platform/logger.ts';
import { parseRecord } from './parse-record.ts';
import { readLines } from './record-file.ts';

const BATCH = 1000;

/**
 * The records of a trainer's spool (a record as JSON in each line) after number `after`, in batches. Ends at the first line that is not a
 * record: the last one may be half-written, and nothing behind a damaged one can be numbered.
 */
export async function* readSpool(
  path: string,
  { after, log }: { after: number; log: Logger },
): AsyncGenerator<TrainerRecord[]> {
  let batch: TrainerRecord[] = [];
  for await (const { text } of readLines(path, 0)) {
    const record = parseRecord(text);
    if (record === null) {
      log.warn('A line of a spool is not a record; what follows it is not taken over.', {
        path,
        after: batch.at(-1)?.n ?? after,
      });
      break;
    }
    if (record.n <= after) continue;
    batch.push(record);
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

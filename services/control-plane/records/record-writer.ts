import type { TrainerRecord } from '../../contracts/record.ts';
import type { Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Redactor } from '../../platform/redaction.ts';
import { parseRecord } from './parse-record.ts';
import { appendLines, cutFile, readLines, sizeOf } from './record-file.ts';
import { RecordGapError } from './record-gap-error.ts';
import type { IndexedRecord, RecordIndex } from './record-index.ts';
import { noteAttempt } from './record-lineage.ts';
import type { RecordBatch } from './record-types.ts';
import { redactRecord } from './redact-record.ts';

const CATCH_UP_BATCH = 1000;

/**
 * Writes record files and their index. First the file, fsynced, then the index: a kill between the two leaves the index behind the file, and
 * `catchUp` reads what it lacks. Calls for one attempt must not overlap.
 */
export function createRecordWriter({
  db,
  index,
  pathOf,
  log,
  redactor,
  onIndexed,
  onStored,
}: {
  db: Database;
  index: RecordIndex;
  pathOf: (run: string, attempt: number) => string;
  log: Logger;
  redactor: Redactor;
  onIndexed: ((batch: RecordBatch) => void) | undefined;
  onStored: (batch: RecordBatch) => void;
}) {
  const addToIndex = (run: string, attempt: number, batch: readonly IndexedRecord[]) => {
    const stored = { run, attempt, records: batch.map(({ record }) => record) };
    db.transaction(() => {
      noteAttempt(db, run, attempt);
      index.add(run, attempt, batch);
      onIndexed?.(stored);
    });
    onStored(stored);
  };

  const catchUp = async (run: string, attempt: number): Promise<void> => {
    const path = pathOf(run, attempt);
    const size = await sizeOf(path);
    let { high, size: indexed } = index.position(run, attempt);
    if (size === indexed) return;
    if (size < indexed) {
      log.error('A record file is shorter than its index; the index is rebuilt from what is left.', {
        run,
        attempt,
        path,
        size,
        indexed,
      });
      db.transaction(() => index.forget(run, attempt));
      high = 0;
      indexed = 0;
    }
    let batch: IndexedRecord[] = [];
    for await (const { text, end } of readLines(path, indexed)) {
      const record = parseRecord(text);
      if (record === null || record.n !== high + 1) break;
      batch.push({ record, end });
      high = record.n;
      indexed = end;
      if (batch.length === CATCH_UP_BATCH) {
        addToIndex(run, attempt, batch);
        batch = [];
      }
    }
    if (batch.length > 0) addToIndex(run, attempt, batch);
    if (indexed < size) await cutTail({ path, indexed, size, run, attempt, log });
  };

  return {
    catchUp,

    /** Appends the records that are new, without the secrets in them. Returns the number of the last stored one. */
    async append(run: string, attempt: number, records: readonly TrainerRecord[]): Promise<number> {
      const path = pathOf(run, attempt);
      await catchUp(run, attempt);
      const { high, size } = index.position(run, attempt);
      const fresh = newRecords(records, high).map((record) => redactRecord(record, redactor));
      if (fresh.length === 0) return high;
      const lines = fresh.map((record) => JSON.stringify(record));
      await appendLines(path, size, lines);
      let end = size;
      addToIndex(
        run,
        attempt,
        fresh.map((record, at) => {
          end += Buffer.byteLength(lines[at] as string) + 1;
          return { record, end };
        }),
      );
      return high + fresh.length;
    },
  };
}

/** Drops what is stored already and refuses a gap, before anything is written. */
function newRecords(records: readonly TrainerRecord[], high: number): TrainerRecord[] {
  const fresh: TrainerRecord[] = [];
  for (const record of records) {
    const expected = high + fresh.length + 1;
    if (record.n < expected) continue;
    if (record.n > expected) throw new RecordGapError(expected, record.n);
    fresh.push(record);
  }
  return fresh;
}

/** A half line is what a kill leaves and is cut off; a whole line that is no record is damage and is put aside first. */
async function cutTail({
  path,
  indexed,
  size,
  run,
  attempt,
  log,
}: {
  path: string;
  indexed: number;
  size: number;
  run: string;
  attempt: number;
  log: Logger;
}): Promise<void> {
  const aside = await cutFile(path, indexed, { keep: await holdsLine(path, indexed) });
  if (aside === null) {
    log.info('Cut off a half-written record.', { run, attempt, bytes: size - indexed });
  } else {
    log.error('A record file is damaged; what follows the last good record was put aside.', {
      run,
      attempt,
      path,
      aside,
    });
  }
}

async function holdsLine(path: string, start: number): Promise<boolean> {
  for await (const _line of readLines(path, start)) return true;
  return false;
}

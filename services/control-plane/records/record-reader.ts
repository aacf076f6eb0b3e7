import type { TrainerRecord } from '../../contracts/record.ts';
import { readLines } from './record-file.ts';
import type { Block, RecordIndex } from './record-index.ts';
import { maskOfFilter, matches } from './record-mask.ts';
import type { Cursor, LogLine, LogQuery, RecordEntry, RecordFilter, RecordPage } from './record-types.ts';

export interface RecordReader {
  index: RecordIndex;
  pathOf: (run: string, attempt: number) => string;
}

/**
 * The records after a cursor that a filter lets through, oldest first, at most `limit`. Reads only blocks that hold such a record; memory is one
 * block and the page. Records of a later attempt follow those of the one before.
 */
export async function readPage(
  reader: RecordReader,
  run: string,
  cursor: Cursor,
  { filter, limit }: { filter: RecordFilter; limit: number },
): Promise<RecordPage> {
  const entries: RecordEntry[] = [];
  let at = cursor;
  for (const { attempt, high, size } of reader.index.positions(run)) {
    if (attempt < cursor.attempt) continue;
    const seen = attempt === cursor.attempt ? cursor.n : 0;
    if (seen < high && (filter.attempt === undefined || filter.attempt === attempt)) {
      const blocks = reader.index.blocks(run, attempt, seen + 1);
      for (const block of wantedBlocks(blocks, maskOfFilter(filter))) {
        const start = attempt === cursor.attempt ? Math.max(block.start, cursor.offset ?? 0) : block.start;
        for await (const { text, end } of readLines(reader.pathOf(run, attempt), start, block.end)) {
          const record = JSON.parse(text) as TrainerRecord;
          if (record.n <= seen) continue;
          // What came while earlier attempts were read lies behind the cursor that is answered.
          if (record.n > high) break;
          if (!matches(filter, record)) continue;
          entries.push({ attempt, record });
          if (entries.length === limit) {
            return { entries, cursor: { attempt, n: record.n, offset: end }, more: true };
          }
        }
      }
    }
    at = { attempt, n: Math.max(seen, high), offset: size };
  }
  return { entries, cursor: at, more: false };
}

/**
 * The last `tail` log lines that match, oldest first, from every attempt: what a resume superseded has happened all the same. Reads blocks from
 * the newest back and skips those without a matching line, so the cost grows with the blocks that hold the tail, not with the file.
 */
export async function readLogs(reader: RecordReader, query: LogQuery): Promise<LogLine[]> {
  const filter: RecordFilter = {
    kinds: ['log'],
    level: query.level,
    ...(query.component === undefined ? {} : { components: [query.component] }),
  };
  const lines: LogLine[][] = [];
  let missing = query.tail;
  for (const { attempt } of reader.index.positions(query.run).reverse()) {
    if (query.attempt !== undefined && query.attempt !== attempt) continue;
    const blocks = wantedBlocks(reader.index.blocks(query.run, attempt), maskOfFilter(filter)).reverse();
    for (const block of blocks) {
      if (missing <= 0) break;
      const found = (await logsOfBlock(reader.pathOf(query.run, attempt), block, filter)).slice(-missing);
      lines.unshift(found.map((record) => ({ ...record, attempt })));
      missing -= found.length;
    }
  }
  return lines.flat();
}

async function logsOfBlock(path: string, block: Block, filter: RecordFilter) {
  const found = [];
  for await (const { text } of readLines(path, block.start, block.end)) {
    const record = JSON.parse(text) as TrainerRecord;
    if (record.kind === 'log' && matches(filter, record)) found.push(record);
  }
  return found;
}

/** Blocks that hold something of `mask`. */
function wantedBlocks(blocks: readonly Block[], mask: number): Block[] {
  return blocks.filter((block) => (block.mask & mask) !== 0);
}

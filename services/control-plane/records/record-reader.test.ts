import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { components, type TrainerRecord } from '../../contracts/record.ts';
import { logLevels } from '../../contracts/run-spec/logging.ts';
import { openDatabase } from '../../platform/database.ts';
import { formatCursor, parseCursor, START } from './cursor.ts';
import { evaluationRecord, logRecord, metricsRecord, openRecords, type RecordFixture, RUN } from './record.fixtures.ts';
import { recordTables } from './record.tables.ts';
import { createRecordIndex } from './record-index.ts';
import { matches } from './record-mask.ts';
import { readLogs, readPage } from './record-reader.ts';
import type { RecordFilter } from './record-types.ts';

let fixture: RecordFixture;
beforeEach(() => {
  fixture = openRecords();
});
afterEach(() => fixture.close());

/** Log lines of every component and level, with other records between them. */
const varied = (count: number): TrainerRecord[] =>
  Array.from({ length: count }, (_, index) => {
    const n = index + 1;
    if (n % 11 === 0) return metricsRecord(n, n, { loss: n });
    if (n % 13 === 0) return evaluationRecord(n, n);
    return logRecord(n, `line ${n}`, components[n % 4] ?? 'training', logLevels[Math.floor(n / 4) % 4] ?? 'INFO');
  });

const filters: RecordFilter[] = [
  {},
  { kinds: ['metrics'] },
  { kinds: ['log'], components: ['rollout'] },
  { kinds: ['log'], level: 'WARNING' },
  { kinds: ['log', 'evaluation'], components: ['eval'], level: 'ERROR' },
  { kinds: ['event'] },
];

describe('since', () => {
  it.each(filters)('pages through what the filter %j lets through, without loss or double', async (filter) => {
    const first = varied(150);
    const second = varied(40);
    await fixture.records.ingest(RUN, 1, first);
    await fixture.records.ingest(RUN, 2, second);
    const wanted = [first, second].flatMap((records, index) =>
      records.filter((record) => matches(filter, record)).map(({ n }) => `${index + 1}:${n}`),
    );
    for (const limit of [1, 7, 1000]) {
      const got: string[] = [];
      for (let cursor = START, more = true; more; ) {
        const page = await fixture.records.since(RUN, cursor, { filter, limit });
        got.push(...page.entries.map(({ attempt, record }) => `${attempt}:${record.n}`));
        ({ cursor, more } = page);
      }
      expect(got).toEqual(wanted);
    }
  });

  it('goes on after a cursor that came back as text', async () => {
    await fixture.records.ingest(RUN, 1, varied(10));
    const cursor = parseCursor(formatCursor({ attempt: 1, n: 8 }));
    expect(cursor).not.toBeNull();
    const page = await fixture.records.since(RUN, cursor ?? START);
    expect(page.entries.map(({ record }) => record.n)).toEqual([9, 10]);
    expect((await fixture.records.since(RUN, fixture.records.end(RUN))).entries).toEqual([]);
  });

  it.each(['', '1', '1:', ':1', '1:x', '1:2:3', '-1:2'])('does not take %j for a cursor', (text) => {
    expect(parseCursor(text)).toBeNull();
  });
});

describe('blocks', () => {
  const open = async (blockBytes: number, records: TrainerRecord[]) => {
    const directory = join(fixture.home, `blocks-${blockBytes}`);
    const db = openDatabase({ path: join(fixture.home, `${blockBytes}.db`), migrations: [recordTables] });
    const index = createRecordIndex({ db, blockBytes });
    const source = fixture.reopen({ directory });
    await source.ingest(RUN, 1, records);
    let end = 0;
    const located = records.map((record) => {
      end += Buffer.byteLength(JSON.stringify(record)) + 1;
      return { record, end };
    });
    for (let at = 0; at < located.length; at += 17) db.transaction(() => index.add(RUN, 1, located.slice(at, at + 17)));
    return { index, reader: { index, pathOf: () => join(directory, RUN, 'a1.jsonl') }, db };
  };

  it.each(filters)('give the same answers to %j whatever their size', async (filter) => {
    const records = varied(200);
    const wanted = records.filter((record) => matches(filter, record)).map(({ n }) => n);
    const { reader, db } = await open(1000, records);
    const page = await readPage(reader, RUN, START, { filter, limit: 1000 });
    expect(page.entries.map(({ record }) => record.n)).toEqual(wanted);
    db.close();
  });

  it('hold more than is given when records came after the end was looked up: nothing beyond the cursor is answered', async () => {
    const { reader, index, db } = await open(1000, varied(40));
    const end = index.positions(RUN).map((position) => ({ ...position, high: 25 }));
    const stale = { ...reader, index: { ...index, positions: () => end } };
    const page = await readPage(stale, RUN, START, { filter: {}, limit: 1000 });
    expect(page.entries.map(({ record }) => record.n)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
    expect(page.cursor).toMatchObject({ attempt: 1, n: 25 });
    db.close();
  });

  it('give the last lines of one kind, for every length of tail', async () => {
    const records = varied(200);
    const { reader, db } = await open(1000, records);
    const wanted = records.filter((record) =>
      matches({ kinds: ['log'], components: ['eval'], level: 'WARNING' }, record),
    );
    for (let tail = 0; tail <= wanted.length + 1; tail++) {
      const lines = await readLogs(reader, { run: RUN, component: 'eval', level: 'WARNING', tail });
      expect(lines.map(({ n }) => n)).toEqual((tail === 0 ? [] : wanted.slice(-tail)).map(({ n }) => n));
    }
    db.close();
  });

  it('let a search for a rare line read only the blocks that hold one', async () => {
    const records = Array.from({ length: 5000 }, (_, index) =>
      logRecord(index + 1, 'x', 'training', index === 17 || index === 4000 ? 'ERROR' : 'INFO'),
    );
    const { index, db } = await open(4000, records);
    const blocks = index.blocks(RUN, 1);
    const withErrors = blocks.filter(({ mask }) => (mask & 0b1000) !== 0);
    expect(blocks.length).toBeGreaterThan(100);
    expect(withErrors).toHaveLength(2);
    expect(blocks.every(({ start, end }) => end - start < 4000 + 200)).toBe(true);
    db.close();
  });
});

describe('follow', () => {
  it('gives what is stored and what comes, each record once and in order, across attempts', async () => {
    await fixture.records.ingest(RUN, 1, varied(20));
    const stop = new AbortController();
    const got: string[] = [];
    const reading = (async () => {
      for await (const { cursor } of fixture.records.follow(RUN, START, { signal: stop.signal })) {
        got.push(formatCursor(cursor));
        if (got.length === 45) stop.abort();
      }
    })();
    const more = varied(35);
    for (let at = 20; at < 35; at++) await fixture.records.ingest(RUN, 1, [more[at] as TrainerRecord]);
    await fixture.records.ingest(RUN, 2, varied(10));
    await reading;
    const wanted = [
      ...Array.from({ length: 35 }, (_, i) => `1:${i + 1}`),
      ...Array.from({ length: 10 }, (_, i) => `2:${i + 1}`),
    ];
    expect(got).toEqual(wanted);
  });

  it('resumes after the last record that was seen', async () => {
    await fixture.records.ingest(RUN, 1, varied(30));
    const read = async (from: string, count: number) => {
      const stop = new AbortController();
      const got: string[] = [];
      for await (const { cursor } of fixture.records.follow(RUN, parseCursor(from) ?? START, { signal: stop.signal })) {
        got.push(formatCursor(cursor));
        if (got.length === count) break;
      }
      return got;
    };
    const first = await read('0:0', 12);
    const second = await read(first.at(-1) as string, 18);
    expect([...first, ...second]).toEqual(Array.from({ length: 30 }, (_, index) => `1:${index + 1}`));
  });

  it('ends when it is aborted while nothing comes', async () => {
    const stop = new AbortController();
    const reading = fixture.records.follow(RUN, START, { signal: stop.signal }).next();
    stop.abort();
    expect((await reading).done).toBe(true);
  });

  it('does not let a listener that throws disturb others', async () => {
    const heard: number[] = [];
    fixture.records.subscribe(RUN, () => {
      throw new Error('broken listener');
    });
    const unsubscribe = fixture.records.subscribe(RUN, ({ records }) => heard.push(...records.map(({ n }) => n)));
    await fixture.records.ingest(RUN, 1, varied(3));
    unsubscribe();
    await fixture.records.ingest(RUN, 1, varied(5));
    expect(heard).toEqual([1, 2, 3]);
  });
});

import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainerRecord } from '../../contracts/record.ts';
import {
  evaluationRecord,
  eventRecord,
  logRecord,
  metricsRecord,
  openRecords,
  progressRecord,
  type RecordFixture,
  RUN,
} from './record.fixtures.ts';
import { RecordGapError } from './record-gap-error.ts';

let fixture: RecordFixture;
beforeEach(() => {
  fixture = openRecords();
});
afterEach(() => fixture.close());

const path = (attempt = 1) => join(fixture.home, 'records', RUN, `a${attempt}.jsonl`);
const lines = (attempt = 1) => readFileSync(path(attempt), 'utf8').split('\n').slice(0, -1);
const mixed: TrainerRecord[] = [
  logRecord(1, 'Grüße, 世界'),
  metricsRecord(2, 1, { 'train/loss': 0.5, 'train/kl': 'NaN' }),
  evaluationRecord(3, 1),
  progressRecord(4, 1),
  eventRecord(5, 'best_updated'),
  logRecord(6),
];

describe('ingest', () => {
  it('appends each record as one line, and answers the number of the last', async () => {
    expect(await fixture.records.ingest(RUN, 1, mixed)).toBe(6);
    expect(lines().map((line) => JSON.parse(line))).toEqual(mixed);
    expect(fixture.records.high(RUN, 1)).toBe(6);
  });

  it('skips what is stored already, in a batch that overlaps too', async () => {
    await fixture.records.ingest(RUN, 1, mixed.slice(0, 4));
    expect(await fixture.records.ingest(RUN, 1, mixed.slice(1, 3))).toBe(4);
    expect(await fixture.records.ingest(RUN, 1, mixed.slice(2))).toBe(6);
    expect(lines()).toHaveLength(6);
    expect(fixture.indexed).toEqual(['1:1', '1:2', '1:3', '1:4', '1:5', '1:6']);
  });

  it('refuses a gap before or inside a batch and stores nothing of it', async () => {
    await fixture.records.ingest(RUN, 1, [logRecord(1)]);
    const before = fixture.records.ingest(RUN, 1, [logRecord(3)]);
    await expect(before).rejects.toThrow(RecordGapError);
    await expect(before).rejects.toMatchObject({ type: 'record-gap', expected: 2, got: 3 });
    await expect(fixture.records.ingest(RUN, 1, [logRecord(2), logRecord(4)])).rejects.toMatchObject({
      expected: 3,
      got: 4,
    });
    expect(lines()).toHaveLength(1);
    expect(await fixture.records.ingest(RUN, 1, [logRecord(2)])).toBe(2);
  });

  it('stores concurrent posts of one attempt once each and in order', async () => {
    const posts = Array.from({ length: 20 }, () => fixture.records.ingest(RUN, 1, mixed));
    expect(await Promise.all(posts)).toEqual(Array(20).fill(6));
    expect(lines()).toHaveLength(6);
  });

  it('counts an empty post as a report', async () => {
    let now = 1000;
    const records = fixture.reopen({ now: () => now });
    expect(records.lastReportAt(RUN, 1)).toBeNull();
    expect(await records.ingest(RUN, 1, [])).toBe(0);
    expect(records.lastReportAt(RUN, 1)).toBe(1000);
    now = 5000;
    records.touch(RUN, 1);
    expect(records.lastReportAt(RUN, 1)).toBe(5000);
  });

  it('does not acknowledge a batch whose conclusions cannot be stored, and stores it once when it is sent again', async () => {
    let broken = true;
    const records = fixture.reopen({
      onIndexed: () => {
        if (broken) throw new Error('no');
      },
    });
    await expect(records.ingest(RUN, 1, mixed)).rejects.toThrow('no');
    expect(records.high(RUN, 1)).toBe(0);
    broken = false;
    expect(await records.ingest(RUN, 1, mixed)).toBe(6);
    expect(lines()).toHaveLength(6);
    expect(records.evaluations(RUN)).toHaveLength(1);
  });
});

describe('recover', () => {
  it('reads what a kill between file and index left behind, wherever the file ends', async () => {
    await fixture.records.ingest(RUN, 1, mixed.slice(0, 2));
    const whole = `${mixed.map((record) => JSON.stringify(record)).join('\n')}\n`;
    const bytes = Buffer.from(whole);
    for (let size = Buffer.byteLength(`${lines().join('\n')}\n`); size <= bytes.length; size += 7) {
      const other = openRecords();
      await other.records.ingest(RUN, 1, mixed.slice(0, 2));
      writeFileSync(join(other.home, 'records', RUN, 'a1.jsonl'), bytes.subarray(0, size));
      const records = other.reopen();
      await records.recover();
      const complete = bytes.subarray(0, size).toString('utf8').split('\n').length - 1;
      expect(records.high(RUN, 1)).toBe(complete);
      expect(await records.ingest(RUN, 1, mixed)).toBe(6);
      expect(readFileSync(join(other.home, 'records', RUN, 'a1.jsonl'), 'utf8')).toBe(whole);
      expect(other.indexed).toEqual(['1:1', '1:2', '1:3', '1:4', '1:5', '1:6']);
      other.close();
    }
  });

  it('needs no call before a post: a file ahead of its index is read first', async () => {
    await fixture.records.ingest(RUN, 1, mixed.slice(0, 3));
    appendFileSync(path(), `${JSON.stringify(mixed[3])}\n{"n":5,"ti`);
    expect(await fixture.records.ingest(RUN, 1, mixed.slice(4))).toBe(6);
    expect(lines()).toHaveLength(6);
  });

  it('reads the runs that are named first, all others later, and none once it is told to end', async () => {
    const other = 'run-bbbbbbbb';
    await fixture.records.ingest(RUN, 1, mixed.slice(0, 2));
    await fixture.records.ingest(other, 1, mixed.slice(0, 2));
    for (const run of [RUN, other]) {
      appendFileSync(join(fixture.home, 'records', run, 'a1.jsonl'), `${JSON.stringify(mixed[2])}\n`);
    }
    const records = fixture.reopen();
    const highs = () => [records.high(RUN, 1), records.high(other, 1)];
    await records.recover([RUN]);
    expect(highs()).toEqual([3, 2]);
    await records.recover(undefined, AbortSignal.abort());
    expect(highs()).toEqual([3, 2]);
    await records.recover();
    expect(highs()).toEqual([3, 3]);
  });

  it('rebuilds everything from the files when the database is lost', async () => {
    await fixture.records.ingest(RUN, 1, mixed);
    const other = openRecords();
    const records = other.reopen({ directory: join(fixture.home, 'records') });
    await records.recover();
    expect(records.evaluations(RUN)).toEqual(fixture.records.evaluations(RUN));
    expect(records.progress(RUN)).toEqual(fixture.records.progress(RUN));
    other.close();
  });

  it('puts a damaged tail aside and asks for it again', async () => {
    await fixture.records.ingest(RUN, 1, mixed);
    const damaged = lines();
    damaged[3] = '{"n":4,"kind":"nonsense"}';
    const other = openRecords();
    writeFileSync(path(), `${damaged.join('\n')}\n`);
    const records = other.reopen({ directory: join(fixture.home, 'records') });
    await records.recover([RUN]);
    expect(records.high(RUN, 1)).toBe(3);
    expect(readdirSync(join(fixture.home, 'records', RUN)).some((name) => name.startsWith('a1.jsonl.damaged-'))).toBe(
      true,
    );
    expect(await records.ingest(RUN, 1, mixed)).toBe(6);
    other.close();
  });

  it('rebuilds the index of a file that has become shorter', async () => {
    await fixture.records.ingest(RUN, 1, mixed);
    truncateSync(path(), Buffer.byteLength(`${lines().slice(0, 2).join('\n')}\n`));
    const records = fixture.reopen();
    await records.recover();
    expect(records.high(RUN, 1)).toBe(2);
    expect(records.evaluations(RUN)).toEqual([]);
    expect(await records.ingest(RUN, 1, mixed)).toBe(6);
  });
});

describe('drain', () => {
  const spool = () => join(fixture.home, 'spool.jsonl');

  it('takes over what a dead trainer had not posted, and leaves out its half line', async () => {
    await fixture.records.ingest(RUN, 1, mixed.slice(0, 2));
    const text = mixed.map((record) => JSON.stringify(record)).join('\n');
    writeFileSync(spool(), `${text}\n{"n":7,"time":"20`);
    expect(await fixture.records.drain(RUN, 1, spool())).toBe(6);
    expect(await fixture.records.drain(RUN, 1, spool())).toBe(6);
    expect(lines().map((line) => JSON.parse(line))).toEqual(mixed);
  });

  it('takes a spool of many batches', async () => {
    const many = Array.from({ length: 2500 }, (_, index) => logRecord(index + 1));
    writeFileSync(spool(), `${many.map((record) => JSON.stringify(record)).join('\n')}\n`);
    expect(await fixture.records.drain(RUN, 1, spool())).toBe(2500);
  });

  it('takes what stands before a line that is no record', async () => {
    writeFileSync(spool(), `${JSON.stringify(mixed[0])}\n{"n":2,"kind":"other"}\n${JSON.stringify(mixed[2])}\n`);
    expect(await fixture.records.drain(RUN, 1, spool())).toBe(1);
  });

  it('takes a missing spool for an empty one', async () => {
    expect(await fixture.records.drain(RUN, 1, join(fixture.home, 'none'))).toBe(0);
  });
});

describe('what records say', () => {
  it('tells how an attempt ended by its last such event', async () => {
    await fixture.records.ingest(RUN, 1, [
      logRecord(1),
      eventRecord(2, 'failed', { reason: 'nan_loss', message: 'loss is NaN', remedy: 'lower it', data: { step: 3 } }),
    ]);
    expect(fixture.records.outcome(RUN, 1)).toEqual({
      name: 'failed',
      reason: 'nan_loss',
      message: 'loss is NaN',
      remedy: 'lower it',
      data: { step: 3 },
    });
    expect(fixture.records.outcome(RUN, 2)).toBeNull();
  });

  it('tells the progress of the newest attempt', async () => {
    await fixture.records.ingest(RUN, 1, [progressRecord(1, 5), progressRecord(2, 6)]);
    await fixture.records.ingest(RUN, 2, [logRecord(1)]);
    expect(fixture.records.progress(RUN)?.step).toBe(6);
    await fixture.records.ingest(RUN, 2, [progressRecord(2, 4)]);
    expect(fixture.records.progress(RUN)).toEqual({
      phase: 'training',
      step: 4,
      total_steps: 100,
      epoch: 0,
      elapsed_seconds: 2,
      eta_seconds: null,
      evaluated: null,
      rollouts: null,
    });
    const rollouts = { state: 'waiting_for_trainer', in_flight: 0, buffered: 8 } as const;
    await fixture.records.ingest(RUN, 2, [Object.assign(progressRecord(3, 5), { rollouts })]);
    expect(fixture.records.progress(RUN)).toMatchObject({ step: 5, rollouts });
    expect(fixture.records.progress('run-bbbbbbbb')).toBeNull();
  });

  it('tells what a trainer computes on, as far as it says so', async () => {
    expect(fixture.records.engine(RUN, 1)).toBeNull();
    const data = { engine: 'node', engine_version: '2.21.0', engine_reason: 'TANDEM_TF=node' };
    await fixture.records.ingest(RUN, 1, [eventRecord(1, 'started', { data }), eventRecord(2, 'resumed')]);
    expect(fixture.records.engine(RUN, 1)).toEqual({ name: 'node', version: '2.21.0', reason: 'TANDEM_TF=node' });
    await fixture.records.ingest(RUN, 2, [eventRecord(1, 'started', { data: { engine: 'torch', engine_version: 2 } })]);
    expect(fixture.records.engine(RUN, 2)).toEqual({ name: 'torch', version: null, reason: null });
    await fixture.records.ingest(RUN, 3, [eventRecord(1, 'started', { data: { engine: { of: 'its own' } } })]);
    expect(fixture.records.engine(RUN, 3)).toBeNull();
  });

  it('forgets a run without touching another', async () => {
    await fixture.records.ingest(RUN, 1, mixed);
    await fixture.records.ingest('run-bbbbbbbb', 1, mixed);
    await fixture.records.remove(RUN);
    expect(fixture.records.high(RUN, 1)).toBe(0);
    expect(fixture.records.evaluations(RUN)).toEqual([]);
    expect(await fixture.records.metrics({ run: RUN, fromStep: 0, points: 10 })).toEqual([]);
    expect(fixture.records.high('run-bbbbbbbb', 1)).toBe(6);
    expect(await fixture.records.metrics({ run: 'run-bbbbbbbb', fromStep: 0, points: 10 })).toHaveLength(2);
  });
});

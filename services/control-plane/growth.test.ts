import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TrainerRecord } from '../contracts/record.ts';
import { type Database, openDatabase } from '../platform/database.ts';
import { createIdempotency } from './api/idempotency.ts';
import { logRecord, metricsRecord, progressRecord, quietLog, RUN } from './records/record.fixtures.ts';
import { createRecordService, type RecordService } from './records/record.service.ts';
import { migrations } from './schema.ts';
import { openRotatingFile } from './sinks/rotating-file.ts';

/** What a GRPO step with `logging_steps: 1` reports: 24 values, two lines, two reports of progress. */
const VALUES = 24;

let home: string;
let db: Database;
let records: RecordService;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tandem-growth-'));
  db = openDatabase({ path: join(home, 'tandem.db'), migrations });
  records = createRecordService({ db, directory: join(home, 'records'), now: Date.now, log: quietLog });
});
afterEach(() => {
  db.close();
  rmSync(home, { recursive: true });
});

const databaseBytes = () =>
  db.get<{ bytes: number }>('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size')!.bytes;
const recordBytes = () => statSync(join(home, 'records', RUN, 'a1.jsonl')).size;

async function train(from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += 50) {
    const steps = Array.from({ length: 50 }, (_, i) => first + i);
    await records.ingest(RUN, 1, steps.flatMap(stepRecords));
  }
}

function stepRecords(step: number): TrainerRecord[] {
  const n = step * 5;
  const values = Object.fromEntries(
    Array.from({ length: VALUES }, (_, i) => [`train/metric_${i}`, Math.sin(step + i)]),
  );
  return [
    progressRecord(n + 1, step),
    logRecord(n + 2, `Step ${step}: 16 rollouts, average reward ${Math.cos(step)}`, 'rollout'),
    logRecord(n + 3, `Step ${step}/1000, loss ${Math.sin(step)}, learning rate ${1e-5 * step}`),
    metricsRecord(n + 4, step, values),
    progressRecord(n + 5, step),
  ];
}

test('records and their index grow by a constant number of bytes per step', async () => {
  const sizes = async (from: number, to: number) => {
    const before = { database: databaseBytes(), records: recordBytes() };
    await train(from, to);
    return {
      database: (databaseBytes() - before.database) / (to - from),
      records: (recordBytes() - before.records) / (to - from),
    };
  };
  await train(0, 500);
  const second = await sizes(500, 1000);
  const third = await sizes(1000, 2000);
  expect(third.database / second.database).toBeGreaterThan(0.8);
  expect(third.database / second.database).toBeLessThan(1.25);
  expect(third.records / second.records).toBeLessThan(1.1);
  // The figures of "What grows how" in README.md.
  expect(third.records).toBeLessThan(2200);
  expect(third.database).toBeLessThan(1500);
});

test('room that a deleted run leaves in the database is used again', async () => {
  await train(0, 1000);
  const grown = databaseBytes();
  await records.remove(RUN);
  await train(0, 1000);
  expect(databaseBytes()).toBeLessThanOrEqual(grown * 1.02);
});

test('answers kept for repeated requests are gone a day later', async () => {
  let now = Date.parse('2026-11-20T09:00:00Z');
  const idempotency = createIdempotency({ db, now: () => now });
  const ask = (key: string) => idempotency.once({ key, fingerprint: key }, async () => ({ status: 201, body: {} }));
  const kept = () => db.get<{ kept: number }>('SELECT count(*) AS kept FROM idempotency_keys')?.kept;
  for (let i = 0; i < 100; i++) await ask(`first-${i}`);
  now += 25 * 3600 * 1000;
  await ask('next day');
  expect(kept()).toBe(1);
});

test('a log file and its rotated ones never take more than their number times their size', async () => {
  const path = join(home, 'logs', 'training.log');
  const file = await openRotatingFile({ path, limits: { fileBytes: 10_000, runBytes: 100_000, runFiles: 3 } });
  for (let n = 1; n < 3000; n += 100) {
    const line = (i: number) =>
      JSON.stringify({ run: RUN, attempt: 1, n: n + i, timestamp: '2026-11-20T09:00:00Z', message: 'x'.repeat(100) });
    await file.append(Array.from({ length: 100 }, (_, i) => line(i)));
  }
  const names = readdirSync(join(home, 'logs'));
  expect(names.length).toBeLessThanOrEqual(4);
  expect(names.reduce((sum, name) => sum + statSync(join(home, 'logs', name)).size, 0)).toBeLessThanOrEqual(40_000);
});

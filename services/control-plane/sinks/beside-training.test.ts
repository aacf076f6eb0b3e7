import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../platform/database.ts';
import { openFileStore } from '../../platform/file-store.ts';
import { createRedactor } from '../../platform/redaction.ts';
import { START } from '../records/cursor.ts';
import { logRecord, metricsRecord } from '../records/record.fixtures.ts';
import { migrations } from '../schema.ts';
import type { Tracker } from '../trackers/tracker.ts';
import { createTrackers } from '../trackers/trackers.ts';
import { openSinkFixture, quietLog, RUN, type SinkFixture } from './sink.fixtures.ts';
import { createSinkMeter } from './sink-meter.ts';
import { createSinks } from './sinks.ts';

let fixture: SinkFixture;
let db: Database;
beforeEach(() => {
  fixture = openSinkFixture();
  db = openDatabase({ path: join(fixture.checkpoints.home, 'trackers.db'), migrations });
});
afterEach(() => {
  db.close();
  fixture.close();
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const until = async (condition: () => boolean) => {
  while (!condition()) await turn();
};

/** A tracker that takes a page of records at a time, once `before` lets it. */
function taking(before: () => Promise<void>): Tracker & { taken: number[] } {
  const taken: number[] = [];
  let cursor = START;
  return {
    taken,
    kind: 'wandb',
    name: 'a tracker',
    remote: true,
    wakesOn: ['records'],
    status: () => Promise.reject(new Error('nobody asks')),
    async catchUp() {
      for (let more = true; more; ) {
        const page = await fixture.records.records.since(RUN, cursor, { limit: 3 });
        await before();
        taken.push(...page.entries.map(({ record }) => record.n));
        ({ cursor, more } = page);
      }
    },
  };
}

it('what hangs, fails or is slow holds up neither records nor files, and has everything once it is well', async () => {
  const { records } = fixture.records;
  let heal: () => void = () => undefined;
  let isWell = false;
  const healed = new Promise<void>((resolve) => {
    heal = () => {
      isWell = true;
      resolve();
    };
  });
  const hanging = taking(() => healed);
  const failing = taking(async () => {
    if (!isWell) throw new Error('503');
  });
  const slow = taking(async () => {
    for (let i = 0; i < 20; i++) await turn();
  });
  const all = [hanging, failing, slow];
  const [fileMeter, trackerMeter] = [createSinkMeter({ records }), createSinkMeter({ records })];
  const options = {
    records,
    checkpoints: fixture.checkpoints.checkpoints,
    log: quietLog,
    wait: turn as () => Promise<void>,
    now: () => 0,
  };
  const trackers = createTrackers({ ...options, db, meter: trackerMeter, factories: all.map((each) => () => each) });
  const place = {
    baseDirectory: fixture.checkpoints.home,
    roots: [],
    runtime: { outputs: async () => [] },
    store: openFileStore(join(fixture.checkpoints.home, 'kept')),
    redactor: createRedactor({}),
    limits: { fileBytes: 1e6, runBytes: 1e8, runFiles: 100 },
  };
  const sinks = createSinks({ ...options, ...place, trackers, meter: fileMeter });
  sinks.open(fixture.target());

  const numbers = Array.from({ length: 40 }, (_, at) => at + 1);
  for (const n of numbers) {
    const record = n % 10 === 0 ? metricsRecord(n, n, { 'train/loss': 'Infinity' }) : logRecord(n);
    expect(await records.ingest(RUN, 1, [record])).toBe(n);
  }
  const log = join(fixture.tree, 'logs/training.log');
  await until(() => existsSync(log) && readFileSync(log, 'utf8').split('\n').length === 37);
  expect(hanging.taken).toEqual([]);
  expect(failing.taken).toEqual([]);
  const [behind] = trackerMeter.read();
  expect(behind).toMatchObject({ sink: 'tracker', failing: 1 });
  expect(behind?.records).toBeGreaterThanOrEqual(80);

  heal();
  await until(() => all.every(({ taken }) => taken.length >= 40));
  for (const { taken } of all) expect(taken).toEqual(numbers);
  await sinks.finish(RUN);
  expect(fileMeter.read()).toEqual([]);
  await until(() => trackers.owed().length === 0);
  await trackers.close();
});

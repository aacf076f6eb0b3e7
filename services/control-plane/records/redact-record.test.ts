import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainerRecord } from '../../contracts/record.ts';
import { createRedactor } from '../../platform/redaction.ts';
import { plantSecrets, secretsIn } from '../../platform/testing/plant-secrets.ts';
import { START } from './cursor.ts';
import { parseRecord } from './parse-record.ts';
import {
  evaluationRecord,
  eventRecord,
  logRecord,
  metricsRecord,
  openRecords,
  type RecordFixture,
  RUN,
} from './record.fixtures.ts';
import { redactRecord } from './redact-record.ts';

let fixture: RecordFixture;
beforeEach(() => {
  fixture = openRecords();
});
afterEach(() => fixture.close());

/** Everything below the directory, the database with it. */
const onDisk = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');

describe('records of a trainer that tells secrets', () => {
  it.each([1, 2, 3])('come into no file, index, stream or answer with one of them (seed %i)', async (seed) => {
    const planted = plantSecrets(seed);
    const told: unknown[] = [];
    const records = fixture.reopen({
      redactor: createRedactor(planted.env),
      onIndexed: (batch) => told.push(batch.records),
    });
    const batch = Array.from({ length: 90 }, (_, index): TrainerRecord => {
      const n = index + 1;
      if (n % 3 === 0)
        return { ...eventRecord(n, 'failed'), message: planted.text(), data: planted.value() } as TrainerRecord;
      if (n % 3 === 1) return { ...logRecord(n, planted.text()), fields: planted.value() } as TrainerRecord;
      return metricsRecord(n, n, { [planted.text()]: 1, 'train/tokens': 2 });
    });
    expect(secretsIn(JSON.stringify(batch), planted.secrets)).not.toEqual([]);
    await records.ingest(RUN, 1, batch);

    const answers = JSON.stringify([
      await records.logs({ run: RUN, level: 'DEBUG', tail: 1000 }),
      await records.metrics({ run: RUN, fromStep: 0, points: 100 }),
      (await records.since(RUN, START)).entries,
      records.outcome(RUN, 1),
      told,
    ]);
    expect(secretsIn(answers, planted.secrets)).toEqual([]);
    expect(secretsIn(onDisk(fixture.home), planted.secrets)).toEqual([]);
    expect((await records.since(RUN, START)).entries).toHaveLength(90);
  });

  it('are records still when a text has grown past what one may hold', async () => {
    const redactor = createRedactor({ A_KEY: 'secret' });
    const grown = redactRecord(logRecord(1, 'secret '.repeat(9000)), redactor) as { message: string };
    expect(grown.message).toHaveLength(65_536);
    expect(grown.message).not.toContain('secret');
  });

  it('keep the values of their metrics, also under names that look like those of secrets', () => {
    const record = metricsRecord(1, 1, { 'train/entropy_token': 'NaN', 'loss/secret': '-Infinity', my_token: 7 });
    expect(redactRecord(record, createRedactor({}))).toEqual(record);
  });

  it.each([1, 2, 3])('are records still, whatever is hidden in them (seed %i)', (seed) => {
    const planted = plantSecrets(seed);
    const redactor = createRedactor(planted.env);
    const values = ['NaN', 'Infinity', '-Infinity', 0, -1.5] as const;
    const names = ['token', 'api_key', 'secret', 'password', 'authorization', 'X_KEY', 'loss'];
    for (let n = 1; n <= 35; n += 1) {
      const name = names[n % names.length] as string;
      const value = values[n % values.length] ?? 0;
      const grown = planted.text().repeat(n === 1 ? 2000 : 1);
      const fields = { [name]: planted.text(), planted: planted.value() };
      const records = [
        { ...logRecord(n, grown.slice(0, 65_536)), fields },
        { ...eventRecord(n, 'failed', { data: fields }), message: planted.text(), reason: planted.text().slice(0, 64) },
        { ...eventRecord(n, 'finished'), remedy: grown.slice(0, 4096) },
        metricsRecord(n, n, { [`train/${name}`]: value, [planted.text()]: value, [name]: value }),
        evaluationRecord(n, n),
      ] as TrainerRecord[];
      for (const record of records) {
        expect(parseRecord(JSON.stringify(record)), 'it was none before').not.toBeNull();
        const kept = redactRecord(record, redactor);
        expect(parseRecord(JSON.stringify(kept))).toEqual(kept);
      }
    }
  });

  it('are the same objects in every respect when there is nothing to hide', () => {
    const record = {
      ...logRecord(1, 'Step 1/2'),
      fields: { step: 1, nested: { list: [null, 'x', true] } },
    } as TrainerRecord;
    expect(redactRecord(record, createRedactor({ A_KEY: 'something' }))).toEqual(record);
  });
});

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from '../../platform/file-store.ts';
import { createRedactor } from '../../platform/redaction.ts';
import { evaluationRecord, logRecord, metricsRecord } from '../records/record.fixtures.ts';
import { openSinkFixture, quietLog, RUN, type SinkFixture } from './sink.fixtures.ts';

import { createSinkMeter } from './sink-meter.ts';

import { createSinks } from './sinks.ts';

let fixture: SinkFixture;
let errors: string[];
let waits: number[];
/** Pauses of sinks that have failed. */
let paused: (() => void)[];
const release = () => {
  for (const resume of paused.splice(0)) resume();
};

beforeEach(() => {
  fixture = openSinkFixture();
  errors = [];
  waits = [];
  paused = [];
});
afterEach(() => fixture.close());

const open = () =>
  createSinks({
    records: fixture.records.records,
    checkpoints: fixture.checkpoints.checkpoints,
    runtime: { outputs: async () => [] },
    store: openFileStore(join(fixture.checkpoints.home, 'kept')),
    redactor: createRedactor({}),
    trackers: { open: () => {}, finish: async () => true },
    meter: createSinkMeter({ records: fixture.records.records }),
    baseDirectory: fixture.checkpoints.home,
    roots: [],
    limits: { fileBytes: 1e6, runBytes: 1e8, runFiles: 100 },
    now: () => 0,
    log: { ...quietLog, error: (_message, fields) => void errors.push(String((fields?.['error'] as Error).message)) },
    wait: (ms, signal) => {
      // Before anything has failed only those wait that are called now and then; here they are not.
      if (errors.length > 0) waits.push(ms);
      const pauses = errors.length > 0 ? paused : [];
      return new Promise((resolve) => {
        pauses.push(resolve);
        signal.addEventListener('abort', () => resolve());
      });
    },
  });
const file = (name: string) => join(fixture.tree, name);
const lines = (name: string) =>
  readFileSync(file(name), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).n);
const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
};

describe('sinks', () => {
  it('remove what a killed control plane had half written', async () => {
    for (const directory of ['logs', 'eval_logs']) mkdirSync(file(directory), { recursive: true });
    const halves = [
      '.tmp-training_log.json-0a1b',
      'logs/.tmp-training.log-2c3d',
      'eval_logs/.tmp-eval_step_0010.json-4e5f',
    ];
    for (const half of halves) writeFileSync(file(half), '{');
    await fixture.records.records.ingest(RUN, 1, [logRecord(1), evaluationRecord(2, 10)]);
    const sinks = open();
    sinks.open(fixture.target());
    await sinks.finish(RUN);
    const left = readdirSync(fixture.tree, { recursive: true, encoding: 'utf8' });
    expect(left.filter((path) => path.includes('.tmp-'))).toEqual([]);
    expect(lines('logs/training.log')).toEqual([1]);
  });

  it('write what there is when a run is opened, what comes while it is, and the rest at its end', async () => {
    await fixture.records.records.ingest(RUN, 1, [logRecord(1), evaluationRecord(2, 10)]);
    const sinks = open();
    sinks.open(fixture.target());
    await until(() => existsSync(file('eval_logs/eval_step_0010.json')) && existsSync(file('logs/training.log')));
    await fixture.records.records.ingest(RUN, 1, [
      logRecord(3),
      logRecord(4, 'x', 'rollout'),
      logRecord(5, 'x', 'performance'),
    ]);
    await until(
      () =>
        existsSync(file('logs/performance.log')) &&
        existsSync(file('logs/rollouts.log')) &&
        lines('logs/training.log').length === 2,
    );
    await fixture.checkpoints.save(10, ['step', 'best']);
    await until(() => existsSync(file('best_model/manifest.json')));
    await fixture.records.records.ingest(RUN, 1, [metricsRecord(6, 13, { 'train/loss': 1 })]);
    await sinks.finish(RUN);
    const log = JSON.parse(readFileSync(file('training_log.json'), 'utf8'));
    expect(log.train_history.map(({ step }: { step: number }) => step)).toEqual([13]);
    expect(errors).toEqual([]);
  });

  it('that fail do not hold up records or other sinks, and catch up once they can', async () => {
    mkdirSync(fixture.tree, { recursive: true });
    writeFileSync(file('eval_logs'), 'a file where a directory must be');
    const sinks = open();
    sinks.open(fixture.target());
    expect(await fixture.records.records.ingest(RUN, 1, [logRecord(1), evaluationRecord(2, 10)])).toBe(2);
    await until(() => errors.length === 1 && existsSync(file('logs/training.log')));
    release();
    await until(() => waits.length === 2);
    expect(waits).toEqual([1000, 2000]);
    rmSync(file('eval_logs'));
    release();
    await until(() => existsSync(file('eval_logs/eval_step_0010.json')));
    await sinks.finish(RUN);
    // The second failure said the same.
    expect(errors).toHaveLength(1);
  });

  it('go on where they were after a restart, and after a run is opened again', async () => {
    const first = open();
    first.open(fixture.target());
    await fixture.records.records.ingest(RUN, 1, [logRecord(1), logRecord(2)]);
    await until(() => existsSync(file('logs/training.log')) && lines('logs/training.log').length === 2);
    await first.close();
    await fixture.records.records.ingest(RUN, 1, [logRecord(3)]);
    expect(lines('logs/training.log')).toEqual([1, 2]);
    const second = open();
    second.open(fixture.target());
    second.open(fixture.target());
    await fixture.records.records.ingest(RUN, 1, [logRecord(4)]);
    const ending = second.finish(RUN);
    second.open(fixture.target());
    await ending;
    await fixture.records.records.ingest(RUN, 1, [logRecord(5)]);
    await second.finish(RUN);
    expect(lines('logs/training.log')).toEqual([1, 2, 3, 4, 5]);
    expect(errors).toEqual([]);
  });

  it('end although one of them cannot be written, say so, and write it once they can', async () => {
    mkdirSync(join(fixture.tree), { recursive: true });
    writeFileSync(file('logs'), 'in the way');
    const sinks = open();
    sinks.open(fixture.target());
    await fixture.records.records.ingest(RUN, 1, [logRecord(1), evaluationRecord(2, 10)]);
    await until(() => waits.length > 0);
    release();
    expect(await sinks.finish(RUN)).toBe(false);
    expect(existsSync(file('eval_logs/eval_step_0010.json'))).toBe(true);
    rmSync(file('logs'));
    sinks.open(fixture.target());
    expect(await sinks.finish(RUN)).toBe(true);
    expect(lines('logs/training.log')).toEqual([1]);
  });
});

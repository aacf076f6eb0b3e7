import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainerRecord } from '../../contracts/record.ts';
import { logRecord } from '../records/record.fixtures.ts';
import { logFilePaths } from './log-file-paths.ts';
import { createLogFileSink } from './log-files.sink.ts';
import { openSinkFixture, RUN, type SinkFixture, specOf } from './sink.fixtures.ts';
import type { SinkTarget } from './sink.ts';

const { signal } = new AbortController();

let fixture: SinkFixture;
beforeEach(() => {
  fixture = openSinkFixture();
});
afterEach(() => fixture.close());

const logs = () => join(fixture.tree, 'logs');
const sink = (options: { maxBytes?: number; maxFiles?: number } = {}, target: SinkTarget = fixture.target()) =>
  createLogFileSink({
    target,
    records: fixture.records.records,
    file: { path: join(logs(), 'training.log'), components: ['training', 'eval'] },
    ...options,
  });
const parsed = (name = 'training.log') =>
  readFileSync(join(logs(), name), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

describe('a log file', () => {
  it('holds its components as JSON lines with the text of the message, in order', async () => {
    await fixture.records.records.ingest(RUN, 1, [
      {
        ...logRecord(1, 'Checkpoint saved: checkpoint-100'),
        fields: { step: 100, n: 99, level: 'ERROR' },
      } as TrainerRecord,
      logRecord(2, 'a rollout', 'rollout'),
      logRecord(3, 'Eval step | accuracy=0.65', 'eval', 'WARNING'),
    ]);
    await sink().catchUp(false, signal);
    expect(parsed()).toEqual([
      {
        timestamp: '2026-11-20T09:00:01.000Z',
        level: 'INFO',
        component: 'training',
        message: 'Checkpoint saved: checkpoint-100',
        attempt: 1,
        n: 1,
        run: RUN,
        step: 100,
      },
      expect.objectContaining({ n: 3, level: 'WARNING', component: 'eval', message: 'Eval step | accuracy=0.65' }),
    ]);
  });

  it('leaves out what is below the level of its component, as it is at that time', async () => {
    const levels = { training: 'WARNING', rollout: 'DEBUG', eval: 'DEBUG', performance: 'DEBUG' } as const;
    const writer = sink({}, fixture.target({}, { levels: () => levels }));
    await fixture.records.records.ingest(RUN, 1, [
      logRecord(1, 'quiet'),
      logRecord(2, 'loud', 'training', 'ERROR'),
      logRecord(3, 'detail', 'eval', 'DEBUG'),
    ]);
    await writer.catchUp(false, signal);
    expect(parsed().map(({ message }) => message)).toEqual(['loud', 'detail']);
  });

  it('rotates at a new day and at its size, and the current file keeps its name', async () => {
    const at = (n: number, time: string) => ({ ...logRecord(n, 'x'.repeat(300)), time }) as TrainerRecord;
    await fixture.records.records.ingest(RUN, 1, [
      at(1, '2026-11-20T23:59:58.000Z'),
      at(2, '2026-11-20T23:59:59.000Z'),
      at(3, '2026-11-21T00:00:00.000Z'),
      ...Array.from({ length: 6 }, (_, index) => at(4 + index, '2026-11-21T00:00:01.000Z')),
    ]);
    await sink({ maxBytes: 1500 }).catchUp(false, signal);
    expect(readdirSync(logs()).sort()).toEqual([
      'training-2026-11-20.1.log',
      'training-2026-11-21.1.log',
      'training-2026-11-21.2.log',
      'training.log',
    ]);
    const all = [
      'training-2026-11-20.1.log',
      'training-2026-11-21.1.log',
      'training-2026-11-21.2.log',
      'training.log',
    ].flatMap((name) => parsed(name));
    expect(all.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const name of readdirSync(logs())) expect(statSync(join(logs(), name)).size).toBeLessThanOrEqual(1500);
  });

  it('keeps so many rotated files, the newest', async () => {
    await fixture.records.records.ingest(
      RUN,
      1,
      Array.from({ length: 12 }, (_, index) => logRecord(index + 1)),
    );
    await sink({ maxBytes: 1, maxFiles: 3 }).catchUp(false, signal);
    expect(readdirSync(logs()).sort()).toEqual([
      'training-2026-11-20.10.log',
      'training-2026-11-20.11.log',
      'training-2026-11-20.9.log',
      'training.log',
    ]);
  });

  it('refuses to mix with the log of another run', async () => {
    mkdirSync(logs(), { recursive: true });
    const other = JSON.stringify({ timestamp: '2026-11-20T09:00:00.000Z', run: 'run-bbbbbbbb', attempt: 1, n: 7 });
    writeFileSync(join(logs(), 'training.log'), `${other}\n`);
    await fixture.records.records.ingest(RUN, 1, [logRecord(1)]);
    await expect(sink().catchUp(false, signal)).rejects.toThrow(/holds the log of run-bbbbbbbb; move it away/);
  });
});

describe('a log file after a kill', () => {
  const records = [
    ...Array.from({ length: 40 }, (_, index) =>
      logRecord(index + 1, `line ${index + 1} ü`, index % 3 ? 'training' : 'eval'),
    ),
  ];
  const small = { maxBytes: 1100 };
  let names: string[];
  let whole: Map<string, string>;

  const snapshot = () =>
    new Map(
      readdirSync(logs())
        .sort()
        .map((name) => [name, readFileSync(join(logs(), name), 'utf8')]),
    );

  beforeEach(async () => {
    await fixture.records.records.ingest(RUN, 1, records.slice(0, 25));
    await fixture.records.records.ingest(RUN, 2, records.slice(0, 15));
    await sink(small).catchUp(false, signal);
    whole = snapshot();
    const number = (name: string) => Number(/\.(\d+)\.log$/.exec(name)?.[1] ?? 1000);
    names = [...whole.keys()].sort((a, b) => number(a) - number(b));
    expect(names.length).toBeGreaterThan(4);
    expect([...whole.values()].join('').split('\n').filter(Boolean)).toHaveLength(40);
  });

  it('goes on without a lost or doubled line, whatever byte it had come to', async () => {
    const total = names.reduce((sum, name) => sum + Buffer.byteLength(whole.get(name) as string), 0);
    for (let reached = 0; reached <= total; reached += 41) {
      rmSync(logs(), { recursive: true });
      mkdirSync(logs());
      let left = reached;
      for (const name of names) {
        const bytes = Buffer.from(whole.get(name) as string);
        const part = bytes.subarray(0, left);
        left -= part.length;
        const current = left === 0;
        writeFileSync(join(logs(), current ? 'training.log' : name), part);
        if (current) break;
      }
      await sink(small).catchUp(false, signal);
      expect(snapshot()).toEqual(whole);
    }
  });

  it('finishes a rotation that was cut in two', async () => {
    for (const [index, name] of names.slice(0, -1).entries()) {
      rmSync(logs(), { recursive: true });
      mkdirSync(logs());
      for (const done of names.slice(0, index + 1)) writeFileSync(join(logs(), done), whole.get(done) as string);
      linkSync(join(logs(), name), join(logs(), 'training.log'));
      await sink(small).catchUp(false, signal);
      expect(snapshot()).toEqual(whole);
    }
  });

  it('starts again with an empty current file from where the rotated ones end', async () => {
    writeFileSync(join(logs(), 'training.log'), '');
    await sink(small).catchUp(false, signal);
    expect(snapshot()).toEqual(whole);
  });

  it('writes everything again when a person has deleted the logs', async () => {
    rmSync(logs(), { recursive: true });
    await sink(small).catchUp(false, signal);
    expect(snapshot()).toEqual(whole);
  });

  it('adds nothing when there is nothing new', async () => {
    const writer = sink(small);
    await writer.catchUp(false, signal);
    await writer.catchUp(false, signal);
    expect(snapshot()).toEqual(whole);
  });
});

describe('logFilePaths', () => {
  const paths = (logging: object, roots: string[] = []) =>
    logFilePaths({ logging: specOf({ logging }).logging, tree: '/srv/outputs/run', baseDirectory: '/srv', roots });

  it('puts the three files under logs/ by default', () => {
    expect(paths({})).toEqual({
      files: [
        { path: '/srv/outputs/run/logs/training.log', components: ['training', 'eval'] },
        { path: '/srv/outputs/run/logs/rollouts.log', components: ['rollout'] },
        { path: '/srv/outputs/run/logs/performance.log', components: ['performance'] },
      ],
      warnings: [],
    });
  });

  it('writes none, or leaves single ones out, as the spec says', () => {
    expect(paths({ log_to_file: false }).files).toEqual([]);
    const names = paths({ enable_detailed_logging: false, log_performance: false }).files.map(({ path }) => path);
    expect(names).toEqual(['/srv/outputs/run/logs/training.log']);
  });

  it('honours paths inside the tree and the roots, relative ones from the base directory', () => {
    const { files, warnings } = paths(
      {
        log_file: 'outputs/run/logs/mine.log',
        detailed_log_file: '/data/rollouts.log',
        performance_log_file: 'outputs/run/logs/mine.log',
      },
      ['/data'],
    );
    expect(files).toEqual([
      { path: '/srv/outputs/run/logs/mine.log', components: ['training', 'eval', 'performance'] },
      { path: '/data/rollouts.log', components: ['rollout'] },
    ]);
    expect(warnings).toEqual([]);
  });

  it.each([
    '/etc/cron.d/x',
    '../other/training.log',
    'outputs/run/../other.log',
    '/srv/outputs/run',
  ])('does not write to %s, and says so', (log_file) => {
    const { files, warnings } = paths({ log_file });
    expect(files[0]?.path).toBe('/srv/outputs/run/logs/training.log');
    expect(warnings).toHaveLength(1);
    expect(existsSync('/etc/cron.d/x')).toBe(false);
  });
});

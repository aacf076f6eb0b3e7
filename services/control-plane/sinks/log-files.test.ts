import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainerRecord } from '../../contracts/record.ts';
import { logRecord } from '../records/record.fixtures.ts';
import { logFilePaths } from './log-file-paths.ts';
import { createLogFileSink } from './log-files.sink.ts';
import { toLogLine } from './log-line.ts';
import { type Compress, gzipFile, type LogLimits } from './rotated-files.ts';
import { openRotatingFile } from './rotating-file.ts';
import { openSinkFixture, RUN, type SinkFixture, specOf } from './sink.fixtures.ts';
import type { SinkTarget } from './sink.ts';

const { signal } = new AbortController();

let fixture: SinkFixture;
beforeEach(() => {
  fixture = openSinkFixture();
});
afterEach(() => fixture.close());

const logs = () => join(fixture.tree, 'logs');
const wide: LogLimits = { fileBytes: 1e6, runBytes: 1e8, runFiles: 100 };
const sink = (limits: Partial<LogLimits> = {}, target: SinkTarget = fixture.target()) =>
  createLogFileSink({
    target,
    records: fixture.records.records,
    file: { path: join(logs(), 'training.log'), components: ['training', 'eval'] },
    limits: { ...wide, ...limits },
  });
const textOf = (name: string) => {
  const bytes = readFileSync(join(logs(), name));
  return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
};
const parsed = (name = 'training.log') =>
  textOf(name)
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

  it('rotates at a later day and at its size, compresses what it rotates, and the current file keeps its name', async () => {
    const at = (n: number, time: string) => ({ ...logRecord(n, 'x'.repeat(300)), time }) as TrainerRecord;
    await fixture.records.records.ingest(RUN, 1, [
      at(1, '2026-11-20T23:59:58.000Z'),
      at(2, '2026-11-20T23:59:59.000Z'),
      at(3, '2026-11-21T00:00:00.000Z'),
      ...Array.from({ length: 6 }, (_, index) => at(4 + index, '2026-11-21T00:00:01.000Z')),
    ]);
    await sink({ fileBytes: 1500 }).catchUp(false, signal);
    const names = [
      'training-2026-11-20.1.log.gz',
      'training-2026-11-21.2.log.gz',
      'training-2026-11-21.3.log.gz',
      'training.log',
    ];
    expect(readdirSync(logs()).sort()).toEqual(names);
    expect(names.flatMap((name) => parsed(name)).map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const name of names) expect(textOf(name).length).toBeLessThanOrEqual(1500);
  });

  it('goes on without loss or double while the clock jumps days ahead and back, whenever it is opened anew', async () => {
    const days = ['2026-11-20', '2027-01-01', '2026-11-19', '2026-11-20', '2026-11-22', '2026-11-21'];
    for (const [index, day] of days.entries()) {
      await fixture.records.records.ingest(RUN, 1, [
        { ...logRecord(2 * index + 1), time: `${day}T12:00:00.000Z` } as TrainerRecord,
        { ...logRecord(2 * index + 2), time: `${day}T12:00:01.000Z` } as TrainerRecord,
      ]);
      await sink({ fileBytes: 400 }).catchUp(false, signal);
    }
    const number = (name: string) => Number(/\.(\d+)\.log/.exec(name)?.[1] ?? 1000);
    const names = readdirSync(logs()).sort((a, b) => number(a) - number(b));
    expect(names.length).toBeGreaterThan(3);
    expect(names.flatMap((name) => parsed(name)).map(({ n }) => n)).toEqual(
      days.flatMap((_, at) => [2 * at + 1, 2 * at + 2]),
    );
  });

  it('keeps so many rotated files of a run, the newest of the log that has most', async () => {
    mkdirSync(logs(), { recursive: true });
    for (const number of [1, 2]) writeFileSync(join(logs(), `rollouts-2026-11-19.${number}.log.gz`), gzipSync('old'));
    await fixture.records.records.ingest(
      RUN,
      1,
      Array.from({ length: 12 }, (_, index) => logRecord(index + 1)),
    );
    await createLogFileSink({
      target: fixture.target(),
      records: fixture.records.records,
      file: { path: join(logs(), 'training.log'), components: ['training'] },
      logs: [join(logs(), 'training.log'), join(logs(), 'rollouts.log')],
      limits: { ...wide, fileBytes: 1, runFiles: 5 },
    }).catchUp(false, signal);
    expect(readdirSync(logs()).sort()).toEqual([
      'rollouts-2026-11-19.1.log.gz',
      'rollouts-2026-11-19.2.log.gz',
      'training-2026-11-20.10.log.gz',
      'training-2026-11-20.11.log.gz',
      'training-2026-11-20.9.log.gz',
      'training.log',
    ]);
  });

  it('takes no more of the disk than a run may, the current files counted in full', async () => {
    const noise = (n: number) => createHash('sha512').update(`${n}`).digest('hex').repeat(1);
    await fixture.records.records.ingest(
      RUN,
      1,
      Array.from({ length: 100 }, (_, index) => logRecord(index + 1, noise(index))),
    );
    const limits = { fileBytes: 1000, runBytes: 5000 };
    await sink(limits).catchUp(false, signal);
    const rotated = readdirSync(logs()).filter((name) => name.endsWith('.gz'));
    const bytes = rotated.reduce((sum, name) => sum + statSync(join(logs(), name)).size, 0);
    expect(bytes).toBeLessThanOrEqual(limits.runBytes - limits.fileBytes);
    expect(rotated.length).toBeGreaterThan(3);
    expect(parsed().at(-1)?.n).toBe(100);
  });

  it('leaves what somebody else has written into the file, whole lines or half ones', async () => {
    for (const foreign of ['no newline', 'a line\n', '\u0000\u0001binary', '[1,2']) {
      rmSync(logs(), { recursive: true, force: true });
      mkdirSync(logs(), { recursive: true });
      writeFileSync(join(logs(), 'training.log'), foreign);
      await fixture.records.records.ingest(RUN, 1, [logRecord(1)]);
      await sink().catchUp(false, signal);
      const [first, second] = textOf('training.log').split('\n');
      expect(first).toBe(foreign.trimEnd());
      expect(JSON.parse(second ?? '')).toMatchObject({ n: 1 });
    }
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
  const small = { fileBytes: 1100 };
  let names: string[];
  let whole: Map<string, string>;

  const snapshot = () =>
    new Map(
      readdirSync(logs())
        .sort()
        .map((name) => [name, textOf(name)]),
    );

  beforeEach(async () => {
    await fixture.records.records.ingest(RUN, 1, records.slice(0, 25));
    await fixture.records.records.ingest(RUN, 2, records.slice(0, 15));
    await sink(small).catchUp(false, signal);
    whole = snapshot();
    const number = (name: string) => Number(/\.(\d+)\.log/.exec(name)?.[1] ?? 1000);
    names = [...whole.keys()].sort((a, b) => number(a) - number(b));
    expect(names.length).toBeGreaterThan(4);
    expect([...whole.values()].join('').split('\n').filter(Boolean)).toHaveLength(40);
  });

  it('goes on without a lost or doubled line, whatever byte it had come to', async () => {
    const total = names.reduce((sum, name) => sum + Buffer.byteLength(whole.get(name) as string), 0);
    for (let reached = 0; reached <= total; reached += 127) {
      rmSync(logs(), { recursive: true });
      mkdirSync(logs());
      let left = reached;
      for (const name of names) {
        const bytes = Buffer.from(whole.get(name) as string);
        const part = bytes.subarray(0, left);
        left -= part.length;
        const current = left === 0;
        writeFileSync(join(logs(), current ? 'training.log' : name), current ? part : gzipSync(part));
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
      for (const done of names.slice(0, index)) writeFileSync(join(logs(), done), gzipSync(whole.get(done) as string));
      const plain = join(logs(), name.slice(0, -'.gz'.length));
      writeFileSync(plain, whole.get(name) as string);
      linkSync(plain, join(logs(), 'training.log'));
      await sink(small).catchUp(false, signal);
      expect(snapshot()).toEqual(whole);
    }
  });

  it('compresses what was not compressed, wherever that was cut off', async () => {
    for (const left of [false, true]) {
      for (const name of names.slice(0, -1)) {
        writeFileSync(join(logs(), name.slice(0, -'.gz'.length)), whole.get(name) as string);
        if (!left) rmSync(join(logs(), name));
      }
      await sink(small).catchUp(false, signal);
      expect(snapshot()).toEqual(whole);
    }
  });

  it('finds where it was in a rotated file that is damaged', async () => {
    const newest = names.at(-2) as string;
    const bytes = readFileSync(join(logs(), newest));
    writeFileSync(join(logs(), newest), bytes.subarray(0, bytes.length - 10));
    writeFileSync(join(logs(), 'training.log'), '');
    await sink(small).catchUp(false, signal);
    const last = [...whole.values()].join('').trimEnd().split('\n').length;
    expect(parsed('training.log').length).toBeGreaterThan(0);
    expect(parsed('training.log').length).toBeLessThan(last);
    expect(parsed().at(-1)).toMatchObject({ attempt: 2, n: 15 });
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

describe('a log file on a full disk', () => {
  it('keeps a rotated part as it is while it cannot be compressed, and compresses it once there is space', async () => {
    const path = join(logs(), 'training.log');
    const lines = Array.from({ length: 30 }, (_, index) => toLogLine(RUN, 1, logRecord(index + 1)));
    const numberOf = (name: string) => Number(/\.(\d+)\.log/.exec(name)?.[1] ?? 1000);
    const numbers = () =>
      readdirSync(logs())
        .sort((a, b) => numberOf(a) - numberOf(b))
        .flatMap((name) => parsed(name).map(({ n }) => n));
    let full = true;
    const compress: Compress = async (from, to) => {
      if (!full) return gzipFile(from, to);
      writeFileSync(to, 'half of it');
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    };
    const file = await openRotatingFile({ path, limits: { ...wide, fileBytes: 800 }, compress });
    await file.append(lines.slice(0, 20));
    expect(readdirSync(logs()).filter((name) => !/^training(-2026-11-20\.\d+)?\.log$/.test(name))).toEqual([]);
    expect(numbers()).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));

    full = false;
    await file.append(lines.slice(20));
    expect(readdirSync(logs()).filter((name) => !name.endsWith('.gz'))).toEqual(['training.log']);
    expect(numbers()).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
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

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TrainerRecord } from '../../contracts/record.ts';
import type { Run } from '../../contracts/run.ts';
import { evaluationRecord, logRecord, metricsRecord } from '../records/record.fixtures.ts';
import type { RecordService } from '../records/record.service.ts';
import { createTestBench, type TestBench } from '../testing.ts';
import { createArchiveHandlers } from './archive.handlers.ts';
import { problemOf, servePublic, type TestServer } from './testing.ts';

const now = Date.parse('2026-11-20T10:00:00Z');
let bench: TestBench;
let unpacked: string;
let server: TestServer;
let records: RecordService;
let id: string;

beforeEach(async () => {
  bench = await createTestBench();
  unpacked = mkdtempSync(join(tmpdir(), 'tandem-archive-'));
  const wiring = await bench.open();
  records = wiring.records;
  ({ id } = (await wiring.service.submit(bench.spec({ name: 'to go' }), () => undefined)).body);
  server = await servePublic(createArchiveHandlers({ ...wiring.archive, now: () => now }));
});
afterEach(async () => {
  await server.close();
  await bench.remove();
  rmSync(unpacked, { recursive: true });
});

/** Fetches the archive and unpacks it with the system's tar. */
async function take(): Promise<string> {
  const response = await fetch(`${server.url}/runs/${id}/archive`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/gzip');
  expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${id}.tar.gz"`);
  writeFileSync(join(unpacked, 'run.tar.gz'), Buffer.from(await response.arrayBuffer()));
  execFileSync('tar', ['-xzf', 'run.tar.gz'], { cwd: unpacked });
  return join(unpacked, id);
}

const json = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T;
const lines = <T>(path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
const openFiles = () => {
  const names = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return names.filter((name) => name.endsWith('.jsonl'));
};

describe('an archive', () => {
  test('holds config, records, logs, evaluations and events, as tar reads them', async () => {
    await records.ingest(id, 1, [
      logRecord(1, 'starts'),
      logRecord(2, 'a "kind":"log" of its own', 'rollout', 'DEBUG'),
      metricsRecord(3, 1, { 'train/loss': 0.5 }),
      evaluationRecord(4, -1),
      logRecord(5, 'evaluated', 'eval'),
    ]);
    await records.ingest(id, 2, [logRecord(1, 'again', 'performance')]);

    const directory = await take();
    expect(readdirSync(directory).sort()).toEqual([
      'archive.json',
      'checkpoints.json',
      'evaluations.json',
      'events.jsonl',
      'logs',
      'records',
      'run.json',
      'spec.json',
    ]);
    expect(json<Run>(join(directory, 'run.json'))).toMatchObject({ id, name: 'to go', status: 'queued' });
    expect(json(join(directory, 'spec.json'))).toMatchObject({ method: 'sft' });
    expect(json(join(directory, 'evaluations.json'))).toEqual(records.evaluations(id));
    expect(lines<{ id: number }>(join(directory, 'events.jsonl'))[0]).toMatchObject({ id: 1, status: 'queued' });
    expect(readFileSync(join(directory, 'records/a1.jsonl'))).toEqual(
      readFileSync(join(bench.root, `.tandem/records/${id}/a1.jsonl`)),
    );
    const said = (name: string) =>
      lines<{ attempt: number; n: number; message: string }>(join(directory, 'logs', name)).map(
        ({ attempt, n, message }) => `${attempt}:${n} ${message}`,
      );
    expect(said('training.log')).toEqual(['1:1 starts', '1:5 evaluated']);
    expect(said('rollouts.log')).toEqual(['1:2 a "kind":"log" of its own']);
    expect(said('performance.log')).toEqual(['2:1 again']);
  });

  test('ends at one point, although records keep coming while it is read', async () => {
    const batch = (from: number): TrainerRecord[] =>
      Array.from({ length: 500 }, (_, i) => logRecord(from + i, 'x'.repeat(2000)));
    await records.ingest(id, 1, batch(1));
    let from = 501;
    let writing = true;
    const writer = (async () => {
      for (; writing; from += 500) await records.ingest(id, 1, batch(from));
    })();
    const directory = await take();
    writing = false;
    await writer;
    const about = json<{ records: { records: number; bytes: number }[] }>(join(directory, 'archive.json'));
    const [first] = about.records;
    expect(first!.records % 500).toBe(0);
    expect(lines(join(directory, 'records/a1.jsonl'))).toHaveLength(first!.records);
    const logs = readdirSync(join(directory, 'logs')).sort();
    expect(logs.flatMap((name) => lines(join(directory, 'logs', name)))).toHaveLength(first!.records);
  });

  test('is written in parts that fit in memory when the log is long', async () => {
    for (let from = 1; from < 5000; from += 1000) {
      await records.ingest(
        id,
        1,
        Array.from({ length: 1000 }, (_, i) => logRecord(from + i, 'y'.repeat(1500))),
      );
    }
    const directory = join(await take(), 'logs');
    expect(readdirSync(directory).sort()).toEqual(['training.log', 'training.part-0002.log']);
    const numbers = ['training.log', 'training.part-0002.log'].flatMap((name) =>
      lines<{ n: number }>(join(directory, name)).map(({ n }) => n),
    );
    expect(numbers).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1));
  });

  test('closes its files when the client leaves, and lets the next one in', async () => {
    const noise = () => Array.from({ length: 40 }, () => Math.random().toString(36)).join('');
    for (let from = 1; from < 20_000; from += 5000) {
      await records.ingest(
        id,
        1,
        Array.from({ length: 5000 }, (_, i) => logRecord(from + i, noise())),
      );
    }
    for (let round = 0; round < 6; round++) {
      await new Promise<void>((resolve) => {
        get(`${server.url}/runs/${id}/archive`, { agent: false }, (response) => {
          response.once('data', () => {
            response.destroy();
            resolve();
          });
        });
      });
    }
    await expect.poll(openFiles).toEqual([]);
    await take();
    expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('breaks off, rather than end early, when a record file is shorter than it was', async () => {
    await records.ingest(id, 1, [logRecord(1), logRecord(2, 'z'.repeat(50_000))]);
    truncateSync(join(bench.root, `.tandem/records/${id}/a1.jsonl`), 1000);
    await expect(
      fetch(`${server.url}/runs/${id}/archive`).then((response) => response.arrayBuffer()),
    ).rejects.toThrow();
  });

  test('of a run that does not exist is a 404, and HEAD costs nothing', async () => {
    const missing = await problemOf(await fetch(`${server.url}/runs/run-00000000/archive`));
    expect(missing).toMatchObject({ kind: 'not-found', status: 404 });
    const head = await fetch(`${server.url}/runs/${id}/archive`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });
});

/** What has no end to archive. */
const endless = {
  view: () => ({}) as Run,
  events: { list: () => [], last: () => 0 },
  records: { files: () => [{ attempt: 1, path: '/dev/urandom', high: 1, size: 2 ** 40 }], evaluations: () => [] },
  checkpoints: { list: () => [] },
  printed: async function* () {},
};

test('an archive whose reader takes nothing is broken off, and makes room', async () => {
  const busy = await servePublic(createArchiveHandlers({ ...endless, now: () => now, stallMs: 300 }));
  const leave = new AbortController();
  try {
    const url = `${busy.url}/runs/run-7k3m9q2d/archive`;
    for (let i = 0; i < 4; i++) {
      const asked = get(url, { agent: false });
      asked.on('error', () => undefined);
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      response.pause().on('error', () => undefined);
    }
    await expect.poll(async () => (await fetch(url, { signal: leave.signal })).status, { timeout: 10_000 }).toBe(200);
  } finally {
    leave.abort();
    await busy.close();
  }
});

test('more archives at a time than there is room for are refused', async () => {
  const busy = await servePublic(createArchiveHandlers({ ...endless, now: () => now }));
  const leave = new AbortController();
  try {
    const url = `${busy.url}/runs/run-7k3m9q2d/archive`;
    for (let i = 0; i < 4; i++) expect((await fetch(url, { signal: leave.signal })).status).toBe(200);
    expect(await problemOf(await fetch(url))).toMatchObject({ kind: 'too-many-requests' });
  } finally {
    leave.abort();
    await busy.close();
  }
});

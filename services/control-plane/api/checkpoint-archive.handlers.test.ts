import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ObjectStore } from '../../platform/object-store.ts';
import { type CheckpointFixture, commitOf, openCheckpoints, RUN } from '../checkpoints/checkpoint.fixtures.ts';
import type { RunRow } from '../runs/run-row.ts';
import { createCheckpointArchiveHandlers } from './checkpoint-archive.handlers.ts';
import { problemOf, servePublic, type TestServer } from './testing.ts';

const PREFIX = `runs/${RUN}/checkpoints/a1/checkpoint-40`;
const deep = `model/${'layer/'.repeat(40)}weights.bin`;
const contents: Record<string, Buffer> = {
  'optimizer.pt': Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251)),
  [deep]: Buffer.from('deep'),
  'empty.txt': Buffer.alloc(0),
};
const hasPython = spawnSync('python3', ['--version']).status === 0;
let fixture: CheckpointFixture;
let server: TestServer;
let unpacked: string;

const serve = (store: ObjectStore, stallMs = 60_000) => {
  const log = { warn: (message: string, fields = {}) => void server.log.push({ level: 'warn', message, fields }) };
  const runs = { get: (run: string) => (run === RUN ? ({ id: run } as RunRow) : undefined) };
  const { checkpoints } = fixture;
  return servePublic(createCheckpointArchiveHandlers({ runs, checkpoints, store, log, stallMs }));
};

beforeEach(async () => {
  fixture = openCheckpoints();
  unpacked = mkdtempSync(join(tmpdir(), 'tandem-tar-'));
  const files = [];
  for (const [path, bytes] of Object.entries(contents)) {
    await fixture.store.put(`${PREFIX}/${path}`, bytes);
    files.push({ path, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  }
  await fixture.checkpoints.commit({ run: RUN, attempt: 1 }, commitOf(40, ['step'], { files }));
  server = await serve(fixture.store);
});
afterEach(async () => {
  await server.close();
  fixture.close();
  rmSync(unpacked, { recursive: true });
});

const ask = (name = 'latest', init: RequestInit = {}) =>
  fetch(`${server.url}/runs/${RUN}/checkpoints/${name}/archive`, init);
/** Reads until the end or the break; false for a break. */
const whole = (response: Response) =>
  response.arrayBuffer().then(
    () => true,
    () => false,
  );
/** Serves the same checkpoint over a store that reads in its own way. */
const serveOver = async (read: ObjectStore['read'], stallMs?: number) => {
  await server.close();
  server = await serve({ ...fixture.store, read }, stallMs);
};

describe('the archive of a checkpoint', () => {
  test('is a tar of as many bytes as announced, the manifest first, as GNU tar reads it', async () => {
    const response = await ask();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/x-tar');
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${RUN}-checkpoint-40.tar"`);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(response.headers.get('content-length')).toBe(String(bytes.length));
    const path = join(unpacked, 'checkpoint.tar');
    writeFileSync(path, bytes);

    const folder = `${RUN}-checkpoint-40`;
    const manifest = readFileSync(join(fixture.home, 'objects', PREFIX, 'manifest.json'));
    const expected = [
      ['manifest.json', manifest.length],
      ...Object.entries(contents).map(([name, { length }]) => [name, length]),
    ].map(([name, size]) => `${folder}/${name} ${size}`);
    const listing = execFileSync('tar', ['--utc', '-tvf', path], { encoding: 'utf8' }).trim().split('\n');
    const gnu = listing.map((line) => line.replace(/^(\S+) +(\S+) +(\d+) +(\S+ \S+) +(.*)$/, '$1 $2 $4 $5 $3'));
    expect(gnu).toEqual(expected.map((line) => `-rw-r--r-- 0/0 2026-11-20 00:00 ${line}`));
    execFileSync('tar', ['-xf', path], { cwd: unpacked });
    for (const [name, content] of Object.entries(contents)) {
      expect(readFileSync(join(unpacked, folder, name)).equals(content), name).toBe(true);
    }
    expect(readFileSync(join(unpacked, folder, 'manifest.json'))).toEqual(manifest);
  });

  test.skipIf(!hasPython)("is read by Python's tarfile with the same names and contents (needs python3)", async () => {
    const path = join(unpacked, 'checkpoint.tar');
    writeFileSync(path, Buffer.from(await (await ask()).arrayBuffer()));
    const hashes = 'for m in t: print(m.name, hashlib.sha256(t.extractfile(m).read()).hexdigest())';
    const script = `import sys,tarfile,hashlib\nt = tarfile.open(sys.argv[1])\n${hashes}`;
    const read = execFileSync('python3', ['-c', script, path], { encoding: 'utf8' });
    const folder = `${RUN}-checkpoint-40`;
    const expected = Object.entries({
      'manifest.json': readFileSync(join(fixture.home, 'objects', PREFIX, 'manifest.json')),
      ...contents,
    }).map(([name, content]) => `${folder}/${name} ${createHash('sha256').update(content).digest('hex')}`);
    expect(read.trim().split('\n')).toEqual(expected);
  });

  test('is the same bytes each time, and HEAD says how many without reading a file', async () => {
    const [first, second] = [await (await ask()).arrayBuffer(), await (await ask()).arrayBuffer()];
    expect(Buffer.from(first).equals(Buffer.from(second))).toBe(true);
    const head = await ask('latest', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(first.byteLength)]);
  });

  test.each([
    ['is missing', () => fixture.store.delete(`${PREFIX}/empty.txt`), /empty\.txt is missing/],
    [
      'is shorter',
      async () => truncateSync(join(fixture.home, 'objects', PREFIX, 'optimizer.pt'), 9),
      /optimizer\.pt has 9 bytes where 300000/,
    ],
    [
      'is another manifest',
      () => fixture.store.put(`${PREFIX}/manifest.json`, Buffer.from('{}')),
      /is not the manifest that was committed/,
    ],
    [
      'is no manifest',
      () => fixture.store.delete(`${PREFIX}/manifest.json`),
      /manifest\.json is not in the object store/,
    ],
  ])('of which a file %s is a problem, not a tar', async (_what, damage, detail) => {
    await damage();
    expect(await problemOf(await ask())).toMatchObject({
      kind: 'checkpoint-unusable',
      detail: expect.stringMatching(detail),
    });
  });

  test('is a problem, not a broken tar, when the store fails at the first byte', async () => {
    await serveOver(() => Readable.from(fail()));
    expect(await problemOf(await ask())).toMatchObject({ kind: 'internal' });
  });

  test('breaks off before the last piece of a file whose bytes have changed, and says so in the log', async () => {
    const bytes = Buffer.from(contents['optimizer.pt'] as Buffer);
    bytes.writeUInt8(bytes.readUInt8(7) ^ 1, 7);
    await fixture.store.put(`${PREFIX}/optimizer.pt`, bytes);
    const { status, received } = await collect();
    expect(status).toBe(200);
    // The two headers, the manifest, and less than the file.
    expect(received.length).toBeLessThan(bytes.length);
    expect(server.log.filter(({ level }) => level === 'warn')).toMatchObject([
      {
        message: 'The archive of a checkpoint was broken off.',
        fields: { checkpoint: `${RUN}/a1/checkpoint-40`, error: { message: expect.stringMatching(/another sha256/) } },
      },
    ]);
    writeFileSync(join(unpacked, 'cut.tar'), received);
    expect(() => execFileSync('tar', ['-tf', 'cut.tar'], { cwd: unpacked, stdio: 'pipe' })).toThrow(/Unexpected EOF/);
  });

  test('breaks off when the store fails in the middle', async () => {
    await serveOver((key, range) =>
      range === undefined && key.endsWith('optimizer.pt')
        ? Readable.from(fail(Buffer.alloc(1000)))
        : fixture.store.read(key, range),
    );
    expect(await whole(await ask())).toBe(false);
    expect(server.log).toMatchObject(expect.arrayContaining([expect.objectContaining({ level: 'warn' })]));
  });

  test('of no run or of no checkpoint is not found', async () => {
    expect((await problemOf(await ask('checkpoint-41'))).kind).toBe('not-found');
    const nobody = `${server.url}/runs/run-00000000/checkpoints/latest/archive`;
    expect((await problemOf(await fetch(nobody))).kind).toBe('not-found');
  });
});

describe('a checkpoint with a file of 9 GiB', () => {
  const size = 9 * 2 ** 30 + 1;
  beforeEach(async () => {
    const path = `runs/${RUN}/checkpoints/a1/checkpoint-50/optimizer.pt`;
    await fixture.store.put(path, Buffer.alloc(0));
    truncateSync(join(fixture.home, 'objects', path), size);
    const files = [{ path: 'optimizer.pt', size, sha256: 'a'.repeat(64) }];
    await fixture.checkpoints.commit({ run: RUN, attempt: 1 }, commitOf(50, ['step'], { files }));
  });

  test('is announced with all its bytes, and its header says them to GNU tar and to Python', async () => {
    const head = await ask('checkpoint-50', { method: 'HEAD' });
    const manifest = readFileSync(join(fixture.home, `objects/runs/${RUN}/checkpoints/a1/checkpoint-50/manifest.json`));
    const content = Math.ceil(manifest.length / 512) * 512 + Math.ceil(size / 512) * 512;
    expect(head.headers.get('content-length')).toBe(String(512 + 512 + content + 1024));

    const leave = new AbortController();
    const reader = (await ask('checkpoint-50', { signal: leave.signal })).body?.getReader();
    const received: Uint8Array[] = [];
    for (let length = 0; length < 4096; ) {
      const { value } = (await reader?.read()) ?? {};
      if (value === undefined) break;
      length += received.push(value) && value.length;
    }
    leave.abort();
    const path = join(unpacked, 'front.tar');
    writeFileSync(path, Buffer.concat(received).subarray(0, 4096));
    truncateSync(path, Number(head.headers.get('content-length')));
    const name = `${RUN}-checkpoint-50/optimizer.pt`;
    expect(execFileSync('tar', ['-tvf', path], { encoding: 'utf8' })).toMatch(new RegExp(` ${size} .* ${name}\n$`));
    if (!hasPython) return;
    const script = 'import sys,tarfile\nprint(tarfile.open(sys.argv[1]).getmember(sys.argv[2]).size)';
    expect(execFileSync('python3', ['-c', script, path, name], { encoding: 'utf8' })).toBe(`${size}\n`);
  });

  test('closes what is read when its client leaves, and makes room; more than four at a time are refused', async () => {
    let open = 0;
    await serveOver((key, range) => {
      if (range !== undefined) return fixture.store.read(key, range);
      open += 1;
      return Readable.from(endless(() => (open -= 1)));
    });
    const leave = new AbortController();
    const answers = await Promise.all([1, 2, 3, 4].map(() => ask('latest', { signal: leave.signal })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await expect.poll(() => open).toBe(4);
    expect(await problemOf(await ask())).toMatchObject({ kind: 'too-many-requests', status: 429 });
    leave.abort();
    await expect.poll(() => open).toBe(0);
    await expect.poll(async () => (await ask('latest', { method: 'HEAD' })).status).toBe(200);
    expect(server.log.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });

  test('is read no further than a few buffers for a client who takes nothing, and who is let go', async () => {
    let pieces = 0;
    let closed = false;
    await serveOver((key, range) => {
      if (range !== undefined) return fixture.store.read(key, range);
      return Readable.from(
        endless(
          () => (closed = true),
          () => (pieces += 1),
        ),
      );
    }, 300);
    const request = get(`${server.url}/runs/${RUN}/checkpoints/latest/archive`, { agent: false });
    request.on('response', (response) => response.pause().on('error', () => undefined));
    request.on('error', () => undefined);
    await expect.poll(() => closed, { timeout: 5000 }).toBe(true);
    // What the kernel's socket buffers take is beyond our say.
    expect(pieces * PIECE).toBeLessThan(32 * 2 ** 20);
    request.destroy();
  });
});

const PIECE = 64 * 1024;

async function* endless(closed: () => void, gave: () => void = () => undefined): AsyncGenerator<Buffer> {
  try {
    for (;;) {
      gave();
      yield Buffer.alloc(PIECE);
    }
  } finally {
    closed();
  }
}

async function* fail(first?: Buffer): AsyncGenerator<Buffer> {
  if (first !== undefined) yield first;
  throw new Error('the store went away');
}

/** What arrives of an archive, whole or not. */
function collect(): Promise<{ status: number | undefined; received: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = get(`${server.url}/runs/${RUN}/checkpoints/latest/archive`, { agent: false }, (response) => {
      const chunks: Buffer[] = [];
      const done = () => resolve({ status: response.statusCode, received: Buffer.concat(chunks) });
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
      response.on('close', done);
    });
    request.on('error', reject);
  });
}

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Checkpoint, Manifest } from '../../contracts/checkpoint.ts';
import { openFileStore } from '../../platform/file-store.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { createCheckpointHandlers } from './checkpoints.handlers.ts';
import { problemOf, servePublic, type TestServer } from './testing.ts';

const RUN = 'run-7k3m9q2d';
const PREFIX = `runs/${RUN}/checkpoints/a1/checkpoint-40`;
const weights = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));
const config = Buffer.from('{"r": 16}');
let directory: string;
let store: ObjectStore;
let server: TestServer;

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const file = (path: string, bytes: Buffer) => ({ path, size: bytes.length, sha256: sha256(bytes) });
const manifest: Manifest = {
  schema: 'tandem.checkpoint/1',
  run: RUN,
  attempt: 1,
  name: 'checkpoint-40',
  created_at: '2026-11-20T09:00:00.000Z',
  step: 40,
  purposes: ['step'],
  policy_version: 40,
  record: 100,
  epoch: 0.5,
  best_metric: null,
  metrics: { loss: 0.5 },
  inputs: {},
  files: [
    file('model/weights.bin', weights),
    file('model/config.json', config),
    file('empty.txt', Buffer.alloc(0)),
    file('lost.pt', config),
  ],
};
const listed: Checkpoint = {
  name: 'checkpoint-40',
  attempt: 1,
  step: 40,
  aliases: ['latest'],
  purposes: ['step'],
  on_lineage: true,
  policy_version: 40,
  size: 100_018,
  created_at: manifest.created_at,
  metrics: manifest.metrics,
  pinned: false,
  parent: null,
  files: manifest.files,
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-files-'));
  store = openFileStore(directory);
  await store.put(`${PREFIX}/model/weights.bin`, weights);
  await store.put(`${PREFIX}/model/config.json`, config);
  await store.put(`${PREFIX}/empty.txt`, Buffer.alloc(0));
  await store.put(`${PREFIX}/secret.txt`, Buffer.from('in no manifest'));
  writeFileSync(join(directory, 'outside.txt'), 'outside');
  const handlers = createCheckpointHandlers({
    hasRun: (run) => run === RUN || run === 'run-f0000000',
    checkpoints: {
      list: (run) => (run === RUN ? [listed] : []),
      resolve: (_run, name) => (['latest', 'checkpoint-40', 'a1/checkpoint-40'].includes(name) ? manifest : undefined),
    },
    store,
  });
  server = await servePublic(handlers);
});
afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${server.url}/runs/${RUN}/checkpoints${path}`, { headers, method });
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

describe('checkpoints', () => {
  test('are listed and found by each of their names', async () => {
    expect(await (await get('')).json()).toEqual({ checkpoints: [listed] });
    for (const name of ['latest', 'checkpoint-40', 'a1%2Fcheckpoint-40'])
      expect(await (await get(`/${name}`)).json()).toEqual(listed);
  });

  test('that a fork has inherited are shown as on its lineage', async () => {
    const response = await fetch(`${server.url}/runs/run-f0000000/checkpoints/latest`);
    expect(await response.json()).toEqual({ ...listed, name: 'checkpoint-40' });
  });

  test.each([
    '/checkpoint-41',
    '/best',
    '/best/files/model/config.json',
  ])('%s: there is none, and the answer says where to look', async (path) => {
    const problem = await problemOf(await get(path));
    expect(problem).toMatchObject({
      kind: 'not-found',
      detail: expect.stringContaining(`GET /runs/${RUN}/checkpoints`),
    });
  });

  test('of no run are not found, by a name that none can have are malformed', async () => {
    expect((await problemOf(await fetch(`${server.url}/runs/run-00000000/checkpoints`))).kind).toBe('not-found');
    expect((await problemOf(await get('/checkpoint-x'))).kind).toBe('invalid-request');
  });
});

describe('a file', () => {
  test('comes whole, with type, length, and its sha256 as ETag', async () => {
    const response = await get('/latest/files/model/weights.bin');
    expect(await bytesOf(response)).toEqual(weights);
    expect(response.headers.get('etag')).toBe(`"${sha256(weights)}"`);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(response.headers.get('content-length')).toBe('100000');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="weights.bin"');
    expect(response.headers.get('cache-control')).toBe('private, no-cache');
    expect((await get('/latest/files/model/config.json')).headers.get('content-type')).toBe(
      'application/json; charset=utf-8',
    );
  });

  test.each([
    ['bytes=0-9', 0, 10],
    ['bytes=99990-', 99_990, 100_000],
    ['bytes=-5', 99_995, 100_000],
    ['bytes=500-999999', 500, 100_000],
  ])('%s comes as that part', async (range, start, end) => {
    const response = await get('/latest/files/model/weights.bin', { range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/100000`);
    expect(await bytesOf(response)).toEqual(weights.subarray(start, end));
  });

  test('beyond its end has nothing', async () => {
    const response = await get('/latest/files/model/config.json', { range: 'bytes=9-' });
    expect(response.headers.get('content-range')).toBe('bytes */9');
    expect(await problemOf(response)).toMatchObject({ kind: 'range-not-satisfiable', status: 416 });
  });

  test('a part of another version is not mixed in: If-Range with another tag answers the whole', async () => {
    const headers = { range: 'bytes=0-1', 'if-range': '"other"' };
    expect((await get('/latest/files/model/config.json', headers)).status).toBe(200);
    headers['if-range'] = `"${sha256(config)}"`;
    expect((await get('/latest/files/model/config.json', headers)).status).toBe(206);
  });

  test('that the client already holds is not sent again', async () => {
    const response = await get('/latest/files/model/config.json', { 'if-none-match': `"x", W/"${sha256(config)}"` });
    expect([response.status, await response.text()]).toEqual([304, '']);
  });

  test('HEAD says how large it is', async () => {
    const response = await get('/latest/files/model/weights.bin', {}, 'HEAD');
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '100000']);
  });

  test('that is empty comes empty', async () => {
    const response = await get('/latest/files/empty.txt');
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  test('that the store has lost is a clear problem', async () => {
    const problem = await problemOf(await get('/latest/files/lost.pt'));
    expect(problem).toMatchObject({
      kind: 'checkpoint-unusable',
      detail: 'lost.pt is missing from the object store; use an older checkpoint.',
    });
  });

  test.each([
    'secret.txt',
    'manifest.json',
    'model',
    '..%2f..%2f..%2f..%2f..%2foutside.txt',
    '%2e%2e/%2e%2e/checkpoint-40/empty.txt',
    '%2fetc%2fpasswd',
    'model%5cconfig.json',
    'model/config.json%00',
  ])('%s is not one, so nothing is served', async (path) => {
    const answer = await server.raw(
      `GET /runs/${RUN}/checkpoints/latest/files/${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 404 [\s\S]*not-found/);
  });
});
